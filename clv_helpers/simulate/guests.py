"""A simulated shop whose customers order with an account or as guests, a new id each time; and who is who."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

NAMES = (
    "Ada Aisha Alan Amir Ana Ben Bo Carla Chen Clara Dana David Elif Emil Emma Eva Farid Finn Gina Hana Hugo Ida Igor "
    "Ines Ivan Jack Jana Joao Julia Kai Karim Lena Leo Li Lina Luca Maja Marco Mia Mina Nadia Nils Nina Noah Olga Omar "
    "Oscar Paul Petra Rami Rosa Ruth Sami Sara Simon Sven Tara Theo Tom Uma Vera Viktor Wei Yara Yusuf Zoe"
)
HOSTS = ("gmail.com", "outlook.com", "web.de", "mail.fr", "posta.it")
CALLING_CODE = "44"


@dataclass(frozen=True)
class Shop:
    """`orders` and `customers` as they would come in (order, customer, day, paid, email, phone, name; id, email, phone,
    name), and `truth`: customer id → who it is."""

    orders: pd.DataFrame
    customers: pd.DataFrame
    truth: dict[str, str]


def simulate_guests(people: int = 2_000, seed: int = 2026, sharing: bool = True) -> Shop:
    """Orders of two years: 60 % of the people have an account, and order as guests now and then; the others always do.

    Of orders as guests 1 % have a typing error in the address and 1 % one in the name;
    9 % bear no name. `sharing`: one in sixteen shares
    an address with somebody of the household, one in eight a phone; 3 % are rung up at the till, under the shop's own
    address, and offices order under theirs. Without it nobody shares anything, and nobody is a guest.

    Example:
        >>> shop = simulate_guests(50)
        >>> len(shop.truth) > 50
        True
    """
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(seed)
    known = NAMES.split()
    names = [known[n] for n in rng.integers(len(known), size=people)]
    emails = [f"{name.lower()}.{n}@{HOSTS[n % len(HOSTS)]}" for n, name in enumerate(names)]
    phones = [f"07{n * 7919 % 10**9:09}" for n in range(1, people + 1)]
    if sharing:  # two by two; who is of one household has another name
        for n in range(0, people - 1, 8):
            names[n + 1] = known[(known.index(names[n]) + 7) % len(known)]
            phones[n + 1] = phones[n]
            if n % 16 == 0:
                emails[n + 1] = emails[n]
    has_account = rng.random(people) < 0.6 if sharing else np.ones(people, dtype=bool)
    counts = 1 + rng.poisson(rng.gamma(0.8, 4.0, people))
    who = np.repeat(np.arange(people), counts)
    day = np.datetime64("2024-01-01") + rng.integers(0, 730, len(who)).astype("timedelta64[D]")
    rows, truth = [], {}
    for number, (person, on) in enumerate(zip(who, day, strict=True)):
        name, email, phone = names[person], emails[person], _written(phones[person], rng)
        customer, whose = f"A{person:06}", str(person)
        truth[customer] = whose
        chance = rng.random(5)
        if sharing and (not has_account[person] or chance[0] < 0.25):
            customer = f"G{number:07}"
            if chance[1] < 0.03:  # nobody can tell who it was
                email, phone, name, whose = "till@the-shop.co", "0000000000", "", f"till {number}"
            elif chance[1] < 0.04:
                email, phone, whose = f"info@office{number % 20}.co", "", f"office {number}"
            email = _mistyped(email, rng) if chance[2] < 0.01 else email.upper() if chance[2] < 0.05 else email
            name = _mistyped(name, rng) if chance[3] < 0.01 else "" if chance[3] < 0.1 else name
            phone = phone if chance[4] < 0.7 else ("n/a" if chance[4] < 0.75 else "")
        truth[customer] = whose
        rows.append((f"O{number:07}", customer, str(on), round(float(rng.gamma(2.0, 20.0)), 2), email, phone, name))
    orders = pd.DataFrame(rows, columns=["order", "customer", "day", "paid", "email", "phone", "name"])
    accounts = [n for n in range(people) if has_account[n]]
    customers = pd.DataFrame(
        [(f"A{n:06}", emails[n], phones[n], names[n]) for n in accounts], columns=["id", "email", "phone", "name"]
    )
    there = {*orders["customer"], *customers["id"]}
    return Shop(orders, customers, {customer: who for customer, who in truth.items() if customer in there})


def pairs(groups: dict[str, Any]) -> set[tuple[str, str]]:
    """The pairs of ids that are of one group; `groups`: id → group.

    Example:
        >>> pairs({"a": 1, "b": 1, "c": 2})
        {('a', 'b')}
    """
    by_group: dict[Any, list[str]] = {}
    for customer, group in sorted(groups.items()):
        by_group.setdefault(group, []).append(customer)
    return {(a, b) for ids in by_group.values() for place, a in enumerate(ids) for b in ids[place + 1 :]}


def _written(phone: str, rng: Any) -> str:
    """A number as people write it."""
    form = rng.integers(3)
    return (phone, f"+{CALLING_CODE} {phone[1:5]} {phone[5:]}", f"00{CALLING_CODE} (0){phone[1:]}")[form]


def _mistyped(text: str, rng: Any) -> str:
    """A text of which one letter is another."""
    place = int(rng.integers(len(text))) if text else 0
    return text[:place] + "abcdefghijklmnopqrstuvwxyz"[rng.integers(26)] + text[place + 1 :]
