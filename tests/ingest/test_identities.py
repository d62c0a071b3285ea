"""Which customer ids become one person, what keeps them apart, and that all of it can be undone."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from sqlglot import exp

from clv_helpers import derived, ingest
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import table
from clv_helpers.run import forget, person_export, refresh_all
from clv_helpers.simulate.guests import Shop, pairs, simulate_guests

PARAMS = """title: A shop with guests
sources:
  purchases:
    path: orders/*.csv
    columns:
      event_id: order
      customer_id: customer
      occurred_at: day
      amount: paid
      email: email
      phone: {{from: phone, type: text, identity: Phone}}
      first_name: {{from: name, type: text}}
  customers:
    path: people/*.csv
    columns: {{customer_id: id, email: email, first_name: name, last_name: family, email_consent: consent}}
{rule}
"""
ORDERS = "order,customer,day,paid,email,phone,name"
PEOPLE = "id,email,name,family,consent"


RULE = "identities: {join: [email, phone]}"


def shop(folder: Path, orders: list[str] = (), people: list[str] = (), rule: str = RULE) -> Workbook:
    """A workbook of orders and customers: rows that came in as one more file each, and the profile of all."""
    (folder / "shop.yml").write_text(PARAMS.format(rule=rule))
    workbook = Workbook.open(folder / "shop.yml")
    for name, header, rows in (("purchases", ORDERS, orders), ("customers", PEOPLE, people)):
        if rows:
            file = folder / f"{name}{len(list(folder.iterdir()))}.csv"
            file.write_text("\n".join([header, *rows]) + "\n")
            ingest.ingest_files(workbook, name, [file])
    refresh_all.build_profile(workbook)
    return workbook


def order(number: int, customer: str, email: str = "", phone: str = "", name: str = "") -> str:
    return f"{customer}-{number},{customer},2024-01-{number:02},10,{email},{phone},{name}"


def joined(workbook: Workbook) -> dict[str, str]:
    rows = workbook.query("profile.joined_customer")
    return dict(zip(rows["source_customer_id"], rows["customer_id"], strict=True))


def test_guests_become_the_customer_whose_id_came_first(outputs: Path, tmp_path: Path):
    orders = [
        order(2, "g2", "Ann@Example.org".replace("Example", "here")),
        order(1, "g9", " ann@here.org "),
        order(3, "g1", "b@here.org"),
    ]
    workbook = shop(tmp_path, orders)
    assert joined(workbook) == {"g2": "g9"}
    rows = workbook.query("profile.customer", order_by="customer_id")
    assert list(zip(rows["customer_id"], rows["purchases"], strict=True)) == [("g1", 1), ("g9", 2)]


FAMILY = [
    order(1, "a1", "home@here.org", "", "Ann"),
    order(2, "b1", "home@here.org", "", "Bob"),
    order(3, "a2", "home@here.org", "", "ann"),
    order(4, "x1", "home@here.org"),
]


def test_a_household_of_one_address_stays_as_many_as_it_has_names(outputs: Path, tmp_path: Path):
    """Who gives no name there may be either."""
    assert joined(shop(tmp_path, FAMILY)) == {"a2": "a1"}


def test_names_count_for_nothing_where_the_rule_says_so(outputs: Path, tmp_path: Path):
    workbook = shop(tmp_path, FAMILY, rule="identities: {join: [email], apart: ''}")
    assert joined(workbook) == {"a2": "a1", "b1": "a1", "x1": "a1"}


def test_whom_a_nameless_order_would_join_to_another_name_is_joined_by_the_more_certain_column_alone(
    outputs: Path, tmp_path: Path
):
    orders = [
        order(1, "a1", "ann@here.org", "", "Ann"),
        order(2, "a2", "ann@here.org", "020 7946 0001"),
        order(3, "b1", "bob@here.org", "020 7946 0001", "Bob"),
    ]
    workbook = shop(tmp_path, orders)
    assert joined(workbook) == {"a2": "a1"}


SAME_ADDRESS = [
    ("Ann@Here.ORG", " ann@here.org "),
    ("b.ob+shop@gmail.com", "bob@googlemail.com"),
    ("cy+x@outlook.com", "cy@outlook.com"),
]
OTHER_ADDRESS = [
    ("d.an@here.org", "dan@here.org"),
    ("eve+x@here.org", "eve@here.org"),
    ("info@here.org", "info@here.org"),
    ("No-Reply@here.org", "no-reply@here.org"),
    ("test@here.org", "test@here.org"),
    ("someone@example.com", "someone@example.com"),
    ("n/a", "n/a"),
    ("", ""),
    ("box7@our-shop.org", "box7@our-shop.org"),
]
SAME_NUMBER = [
    ("020 7946 0001", "+44 (0)20 7946-0001"),
    ("0044 20 7946 0003", "2079460003"),
]
OTHER_NUMBER = [
    ("020 7946 0005", "020 7946 0006"),
    ("0000000000", "0000000000"),
    ("01234567890", "01234567890"),
    ("12345", "12345"),
]


def test_an_address_is_compared_as_its_host_reads_it_and_one_of_nobody_joins_none(outputs: Path, tmp_path: Path):
    cases = [*SAME_ADDRESS, *OTHER_ADDRESS]
    orders = [row for n, (one, other) in enumerate(cases) for row in (order(1, f"a{n}", one), order(2, f"b{n}", other))]
    workbook = shop(tmp_path, orders, rule="identities: {join: [email], ignore: ['*@Our-Shop.org']}")
    assert joined(workbook) == {f"b{n}": f"a{n}" for n in range(len(SAME_ADDRESS))}


def test_a_number_is_one_however_it_is_written_and_a_placeholder_joins_none(outputs: Path, tmp_path: Path):
    cases = [*SAME_NUMBER, *OTHER_NUMBER]
    orders = [
        row
        for n, (one, other) in enumerate(cases)
        for row in (order(1, f"a{n}", phone=one), order(2, f"b{n}", phone=other))
    ]
    workbook = shop(tmp_path, orders, rule="identities: {join: [phone], calling_code: 44}")
    assert joined(workbook) == {f"b{n}": f"a{n}" for n in range(len(SAME_NUMBER))}


def test_a_value_of_more_ids_than_allowed_joins_none_and_is_told(outputs: Path, tmp_path: Path):
    orders = [order(n, f"c{n}", "club@here.org") for n in range(1, 5)]
    workbook = shop(tmp_path, orders, rule="identities: {join: [email], at_most: 3}")
    assert joined(workbook) == {}
    rows = workbook.query("profile.joining", outcome="too many ids")
    assert rows[["column_name", "found", "people"]].to_numpy().tolist() == [["email", 1, 4]]


def test_more_ids_than_a_person_may_have_are_not_joined_by_a_chain(outputs: Path, tmp_path: Path):
    rule = "identities: {join: [email, phone], at_most: 2}"
    chain = [order(n + 1, f"c{n}", f"m{n // 2}@here.org", f"02079460{(n + 1) // 2:03}") for n in range(12)]
    workbook = shop(tmp_path, chain, rule=rule)
    assert joined(workbook) == {f"c{n + 1}": f"c{n}" for n in range(0, 12, 2)}  # by the address alone, the first column


def test_the_rule_taken_out_leaves_what_never_was_joined(outputs: Path, tmp_path: Path):
    orders = [order(n, f"c{n}", f"m{n % 4}@here.org") for n in range(1, 20)]
    people = ["c1,m1@here.org,Ann,Smith,true", "c5,m1@here.org,Ann,,", "c9,,,,false"]
    (tmp_path / "never").mkdir()
    never = all_tables(shop(tmp_path / "never", orders, people, rule=""))
    workbook = shop(tmp_path, orders, people)
    assert joined(workbook)
    assert all_tables(shop(tmp_path, rule="")) == never


@pytest.mark.parametrize("seed", range(3))
def test_however_the_rows_come_in_the_tables_are_the_same(outputs: Path, tmp_path: Path, seed: int):
    """Batch by batch with a refresh after each, in any order: as from one file at once."""
    numbers = random.Random(seed)
    orders = [
        order(n, f"c{n % 17}", f"m{numbers.randrange(9)}@here.org", f"02079460{numbers.randrange(12):03}")
        for n in range(1, 29)
    ]
    people = [f"c{n},m{n}@here.org,,,{numbers.choice(['true', 'false', ''])}" for n in range(4)]
    (tmp_path / "whole").mkdir()
    whole = shop(tmp_path / "whole", orders, people)
    assert joined(whole)
    numbers.shuffle(orders)
    cuts = sorted(numbers.sample(range(1, len(orders)), 3))
    shop(tmp_path, people=people)
    for begin, end in zip([0, *cuts], [*cuts, len(orders)], strict=True):
        workbook = shop(tmp_path, orders[begin:end])
    assert all_tables(workbook) == all_tables(whole)


def all_tables(workbook: Workbook) -> dict[str, list[str]]:
    """The rows of each table but for what tells of the ingestion itself, sorted."""
    tables = {}
    with workbook.engine.read_latest() as session:
        for name in session.tables():
            if name.startswith(("derived.", "profile.", "lake.purchases", "lake.customers")):
                rows = session.rows(exp.select("*").from_(table(name)))
                tables[name] = sorted(
                    str(sorted((key, str(value)) for key, value in row.items() if key != "_batch_id")) for row in rows
                )
    return {name: rows for name, rows in tables.items() if rows}


def test_a_person_is_forgotten_under_every_id(outputs: Path, tmp_path: Path):
    """Asked for by a later id, all are erased, and none of them comes in again."""
    orders = [order(1, "guest-one", "ann@here.org"), order(2, "guest-two", "ann@here.org"), order(3, "other-one")]
    workbook = shop(tmp_path, orders)
    person = person_export.held_on(workbook, "guest-two").person
    assert (person.customer_id, person.also) == ("guest-one", ["guest-two"])
    told = forget.forget(workbook, "guest-two")
    assert (told.done, told.left) == (True, [])
    workbook = shop(tmp_path, [order(4, "guest-two", "ann@here.org"), order(5, "other-one")])
    assert workbook.query("lake.purchases")["customer_id"].tolist() == ["other-one"] * 2


def guests(folder: Path, sharing: bool, rule: str) -> tuple[Shop, Workbook]:
    simulated = simulate_guests(400, seed=7, sharing=sharing)
    workbook = shop(
        folder,
        [",".join(map(str, row)) for row in simulated.orders.itertuples(index=False)],
        [f"{row.id},{row.email},{row.name},," for row in simulated.customers.itertuples(index=False)],
        rule,
    )
    return simulated, workbook


def test_guests_are_found_again_and_families_kept_apart(outputs: Path, tmp_path: Path):
    """Of the pairs of ids that are joined ≥ 99 % are one person's, and ≥ 95 % of those that are one's are joined."""
    simulated, workbook = guests(tmp_path, True, RULE)
    numbers, true = joined(workbook), pairs(simulated.truth)
    found = pairs({customer: numbers.get(customer, customer) for customer in simulated.truth})
    assert len(found & true) / len(found) >= 0.99
    assert len(found & true) / len(true) >= 0.95
    people = {simulated.truth[customer] for customer in simulated.orders["customer"]}
    rows = workbook.query("profile.customer")
    bought = rows[rows["purchases"] > 0]
    assert bought["purchases"].mean() == pytest.approx(len(simulated.orders) / len(people), rel=0.05)  # 1.5 unjoined
    shown = derived.identities(workbook)
    told = shown.bundle["text/plain"]
    assert "ids were joined into" in told and "purchases per customer on average: 1." in told
    assert not re.search(r"@|\b[AG]0", str([told, *(part.bundle for part in shown.parts)]))


def test_nobody_is_joined_where_nothing_is_shared(outputs: Path, tmp_path: Path):
    _, workbook = guests(tmp_path, False, RULE)
    assert joined(workbook) == {}
    assert "No ids were joined" in derived.identities(workbook).bundle["text/plain"]


def test_new_orders_of_guests_leave_the_refresh_to_what_they_touch(outputs: Path, tmp_path: Path):
    orders = [order(1 + n % 28, f"c{n}", f"m{n}@here.org") for n in range(60)]
    shop(tmp_path, orders)
    workbook = shop(tmp_path, [order(29, "g1", "m3@here.org")])
    assert joined(workbook) == {"g1": "c3"}
    with workbook.engine.read_latest() as session:
        modes = "SELECT COUNT(*) AS n FROM lake.purchases WHERE source_customer_id = 'g1' AND customer_id = 'c3'"
        assert session.scalar(modes) == 1
    rows = refresh_all.build_profile(workbook)
    assert {row.mode for row in rows if row.table.startswith("derived.")} <= {"unchanged", "view"}
