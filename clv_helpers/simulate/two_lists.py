"""A simulated shop with two lists of customers, of its site and of its stores' cards; and who is who in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

FIRST_NAMES = (
    "Robert William Elizabeth Margaret Katherine Alexander Michael Thomas Susan Daniel Johanna Frederick Patricia "
    "Christopher Victoria Benjamin Samuel Josephine Matthew Jennifer Ada Aisha Alan Amir Ana Bruno Carla Chen Clara "
    "Dana David Elif Emil Emma Farid Finn Gina Hana Hugo Ida Igor Ines Ivan Jack Jana Julia Kai Karim Lena Luca Maja "
    "Marco Mia Mina Nadia Nils Nina Noah Olga Omar Oscar Paul Petra Rami Rosa Ruth Sara Simon Sven Tara Theo Uma Vera "
    "Wei Yara Yusuf Zoe"
)
NICKNAMES = {
    "Robert": "Bob", "William": "Bill", "Elizabeth": "Liz", "Margaret": "Peggy", "Katherine": "Kate",
    "Alexander": "Sasha", "Michael": "Mike", "Thomas": "Tom", "Susan": "Sue", "Daniel": "Dan", "Johanna": "Jo",
    "Frederick": "Fritz", "Patricia": "Trish", "Christopher": "Kit", "Victoria": "Vicky", "Benjamin": "Ben",
    "Samuel": "Sam", "Josephine": "Pepi", "Matthew": "Matt", "Jennifer": "Jenny",
}  # fmt: skip
STEMS = (
    "Ander Berg Lind Holm Stein Ross Wald Feld Hart Brand Dal Ek Fors Gran Hed Kron Ling Mos Nord Ost Palm Quist Rich "
    "San Thor Ul Val West Young Zell Car Mor Bel Fer Gar Mont Rod Sal Tor Ver"
)
ENDINGS = "son man strom ton well er ley ford berg dal gren ini ez ov ska o a i u en"
HOSTS = ("gmail.com", "outlook.com", "web.de", "mail.fr", "posta.it")
# What becomes of those who are on both lists, on the second, as a share of them.
CHANGES = {
    "typing error in the first name": 0.03,
    "typing error in the last name": 0.04,
    "names swapped": 0.03,
    "nickname": 0.3,  # of the quarter of the people whose name has one
    "another last name": 0.02,
    "moved": 0.15,
    "another e-mail address": 0.3,
    "no e-mail address": 0.25,
    "no birth date": 0.2,
    "another birth date": 0.02,
}
# Strangers on the second list who are like somebody on the first, as a share of the first.
ALIKE = {"twin": 0.005, "spouse": 0.03, "child of that name": 0.005}


@dataclass(frozen=True)
class TwoLists:
    """`customers` and `cards` (a row per person each: number, names, birth date, postal code, e-mail, since when),
    `orders` of both kinds of numbers, and `checked`: who is on both, with what changed, and who only seems to be.
    """

    customers: pd.DataFrame
    cards: pd.DataFrame
    orders: pd.DataFrame
    checked: pd.DataFrame


def simulate_two_lists(people: int = 20_000, seed: int = 2026, in_both: float = 0.3) -> TwoLists:
    """Two lists of so many people each, of whom a share is on both; `in_both` 0: all that is alike is chance.

    Each buys with the number of each list it is on. Cost: 20,000 people take about 2 s.

    Example:
        >>> lists = simulate.simulate_two_lists(200)
        >>> len(lists.customers), int((lists.checked["is_same"]).sum())
        (200, 60)
    """
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(seed)
    customers = _people(rng, people)
    order = rng.permutation(people)
    common = np.sort(order[: int(people * in_both)])
    same, changes = _changed(rng, customers.iloc[common].reset_index(drop=True))
    alike, kinds, of_whom = _alike(rng, customers, order[len(common) :])
    strangers = _people(rng, people - len(common) - len(alike), first=people)
    cards = pd.concat([same, alike, strangers], ignore_index=True)
    numbers = pd.Series([f"S{index:07d}" for index in rng.permutation(len(cards)) + 1])
    customers["number"] = [f"C{index:07d}" for index in range(1, people + 1)]
    cards["number"] = numbers
    truth = pd.DataFrame(
        {
            "customer_id": customers["number"].to_numpy()[np.concatenate([common, of_whom])],
            "card_id": numbers.to_numpy()[: len(common) + len(alike)],
            "is_same": [True] * len(common) + [False] * len(alike),
            "kind": changes + kinds,
        }
    )
    orders = _orders(rng, customers, cards, truth[truth["is_same"]])
    cards = cards.sort_values("number", ignore_index=True)
    return TwoLists(_as_a_list(rng, customers, 0.05), _as_a_list(rng, cards, 0.0), orders, truth)


def _people(rng: Any, count: int, first: int = 0) -> pd.DataFrame:
    """People with names of which some are frequent."""
    import numpy as np
    import pandas as pd

    last_names = [stem + ending for ending in ENDINGS.split() for stem in STEMS.split()]
    frequent = 1 / (np.arange(len(last_names)) + 20)
    given, family = rng.choice(FIRST_NAMES.split(), count), rng.choice(last_names, count, p=frequent / frequent.sum())
    people = pd.DataFrame({"first_name": given, "last_name": family})
    people["birth_date"] = np.datetime64("1940-01-01") + rng.integers(0, 24_000, count).astype("timedelta64[D]")
    people["postal_code"] = [f"{code:05d}" for code in 10_000 + rng.integers(0, 2_000, count) * 7]
    people["email"] = _addresses(rng, people, first)
    return people


def _addresses(rng: Any, people: pd.DataFrame, first: int = 0) -> list[str]:
    """Addresses made of the names, each of them one person's."""
    hosts = rng.choice(HOSTS, len(people))
    named = zip(people["first_name"], people["last_name"], hosts, strict=True)
    return [f"{a[0]}.{b}{index}@{host}".lower() for index, (a, b, host) in enumerate(named, first)]


def _changed(rng: Any, people: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The same people as another list has them, and what is changed of each, as words."""
    import numpy as np
    import pandas as pd

    hit = {name: rng.random(len(people)) < share for name, share in CHANGES.items()}
    hit["nickname"] &= people["first_name"].isin(NICKNAMES).to_numpy()
    others = _people(rng, len(people), first=10_000_000)
    fresh = _addresses(rng, people, 20_000_000)
    rows = []
    for index, row in enumerate(people.to_dict("records")):
        now = {name for name, which in hit.items() if which[index]}
        if "nickname" in now:
            row["first_name"] = NICKNAMES[row["first_name"]]
        if "another last name" in now:
            row["last_name"] = others["last_name"].iloc[index]
        if "typing error in the first name" in now:
            row["first_name"] = _mistyped(row["first_name"], rng)
        if "typing error in the last name" in now:
            row["last_name"] = _mistyped(row["last_name"], rng)
        if "names swapped" in now:
            row["first_name"], row["last_name"] = row["last_name"], row["first_name"]
        if "moved" in now:
            row["postal_code"] = others["postal_code"].iloc[index]
        if "another e-mail address" in now:
            row["email"] = fresh[index]
        if "no e-mail address" in now:
            row["email"] = ""
        if "another birth date" in now:
            row["birth_date"] += np.timedelta64(int(rng.choice([-10, -1, 1, 9, 30])), "D")
        if "no birth date" in now:
            row["birth_date"] = pd.NaT
        rows.append(row)
    told = [", ".join(name for name in CHANGES if hit[name][index]) or "nothing" for index in range(len(people))]
    return pd.DataFrame(rows, columns=people.columns), told


def _alike(rng: Any, people: pd.DataFrame, free: Any) -> tuple[pd.DataFrame, list[str], Any]:
    """Strangers who share a home with one of the people: what they are to whom."""
    import numpy as np

    counts = {kind: min(int(len(people) * share), len(free) // 4) for kind, share in ALIKE.items()}
    kinds = [kind for kind, count in counts.items() for _ in range(count)]
    of_whom = free[: len(kinds)]
    rows, place = people.iloc[of_whom].reset_index(drop=True), np.array(kinds)
    others = _people(rng, len(rows), first=30_000_000)
    renamed = place != "child of that name"
    rows.loc[renamed, "first_name"] = others.loc[renamed, "first_name"]
    again = renamed & (rows["first_name"].to_numpy() == people["first_name"].to_numpy()[of_whom])
    rows.loc[again, "first_name"] = "Quentin"  # a stranger of the same name, too, would be nobody's to tell apart
    rows.loc[place == "spouse", "birth_date"] = others.loc[place == "spouse", "birth_date"]
    rows.loc[place == "child of that name", "birth_date"] += np.timedelta64(10_000, "D")
    shares = (place == "spouse") & (rng.random(len(rows)) < 0.3)  # an address of the home
    rows.loc[~shares, "email"] = others.loc[~shares, "email"]
    return rows, kinds, of_whom


def _orders(rng: Any, customers: pd.DataFrame, cards: pd.DataFrame, common: pd.DataFrame) -> pd.DataFrame:
    """Orders of two years; who is on both lists buys on the site and in the stores, about half as often in each."""
    import numpy as np
    import pandas as pd

    both = {*common["customer_id"], *common["card_id"]}
    numbers = [*customers["number"], *cards["number"]]
    rate = rng.gamma(1.0, 4.0, len(numbers)) * np.where([number in both for number in numbers], 0.8, 1.0)
    who = np.repeat(np.arange(len(numbers)), 1 + rng.poisson(rate))
    moment = np.datetime64("2024-01-01T08:00") + rng.integers(0, 730 * 24 * 60, len(who)).astype("timedelta64[m]")
    orders = pd.DataFrame({"customer_id": np.array(numbers)[who], "occurred_at": moment})
    orders["amount"] = rng.gamma(2.0, 20.0, len(who)).round(2)
    orders["channel"] = np.where(orders["customer_id"].str.startswith("C"), "site", "store")
    orders = orders.sort_values(["occurred_at", "customer_id"], kind="stable", ignore_index=True)
    orders.insert(0, "order_id", [f"O{index:08d}" for index in range(1, len(orders) + 1)])
    return orders


def _as_a_list(rng: Any, people: pd.DataFrame, unknown: float) -> pd.DataFrame:
    """As it is kept: a share of birth dates unknown, some names in capitals, and since when."""
    import numpy as np
    import pandas as pd

    kept = people.copy()
    kept.loc[rng.random(len(kept)) < unknown, "birth_date"] = pd.NaT
    kept.loc[rng.random(len(kept)) < unknown, "last_name"] = kept["last_name"].str.upper()
    kept["since"] = np.datetime64("2023-01-01") + rng.integers(0, 365, len(kept)).astype("timedelta64[D]")
    kept["birth_date"] = kept["birth_date"].astype("datetime64[us]")
    return kept[["number", "first_name", "last_name", "birth_date", "postal_code", "email", "since"]]


def _mistyped(text: str, rng: Any) -> str:
    """A text of which one letter is another, missing, or two have changed places."""
    place = int(rng.integers(1, len(text)))
    match rng.integers(3):
        case 0:
            return text[:place] + "abcdefghijklmnopqrstuvwxyz"[rng.integers(26)] + text[place + 1 :]
        case 1:
            return text[:place] + text[place + 1 :]
    return text[: place - 1] + text[place] + text[place - 1] + text[place + 1 :]
