"""Memberships: who entered, who stayed, who left; after micro-batches the same as if everyone had been asked anew."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clv_helpers import audiences, ingest, models
from clv_helpers.audiences import audience_files, memberships
from clv_helpers.audiences.compile import to_customers
from clv_helpers.audiences.rule import Audience
from clv_helpers.config.validation import ParamsError, validate
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import literal
from conftest import write_shop
from strategies import NOW, ZONES, conditions, event_conditions, nested, sequences, small_store

SESSION, _ = small_store()
STREAMED = st.recursive(st.one_of(conditions(), event_conditions(), sequences()), nested, max_leaves=4)
CUSTOMERS = st.integers(0, 47).map(lambda number: f"M{number:02d}")
STEPS = st.sampled_from([dt.timedelta(), dt.timedelta(hours=7), dt.timedelta(days=1), dt.timedelta(days=30)])


@st.composite
def micro_batches(draw: st.DrawFn) -> list[tuple[dt.timedelta, list, list]]:
    """How far time goes on, events (late ones too) as customer and age in hours, and customers whose attribute changes."""
    events = st.tuples(
        CUSTOMERS, st.sampled_from([0, 1, 24, 24 * 8, 24 * 31, 24 * 400]), st.sampled_from([None, "flight", "a"])
    )
    batch = st.tuples(STEPS, st.lists(events, max_size=4), st.lists(CUSTOMERS, max_size=2))
    return draw(st.lists(batch, min_size=1, max_size=3))


def streaming(rule: dict, zone: str = "UTC") -> Audience:
    return validate(Audience, {"title": "x", "evaluation": "streaming", "time_zone": zone, "rule": rule}, "x.yml")


def customers_of(name: str) -> set[str]:
    query = "SELECT customer_id FROM audiences.membership_period WHERE audience = $name AND left_at IS NULL"
    return {row["customer_id"] for row in SESSION.rows(query, name=name)}


@settings(max_examples=25)
@given(STREAMED, STREAMED, st.sampled_from(ZONES), micro_batches())
def test_micro_batches_give_what_a_batch_gives(first: dict, second: dict, zone: str, batches: list) -> None:
    found = {
        "a": streaming(first, zone),
        "b": streaming(second),
        "c": streaming({"all": [{"audience": "a"}, {"not": second}]}),
    }
    SESSION.run("BEGIN")
    try:
        SESSION.run("DROP TABLE audiences.membership_period")
        SESSION.run("CREATE OR REPLACE TABLE touched AS SELECT customer_id FROM profile.customer LIMIT 0")
        now = NOW
        for passed, events, changed in [(dt.timedelta(), [], []), *batches]:
            now += passed
            touched = apply(now, events, changed)
            SESSION.connection.execute("DELETE FROM touched")
            for customer in sorted(touched):
                SESSION.run("INSERT INTO touched VALUES ($customer)", customer=customer)
            memberships.evaluate_some(SESSION, found, "touched", now)
            this = memberships.begin(SESSION, now)
            for name, audience in found.items():
                expected = SESSION.rows(to_customers(audience.rule, this.context(audience)))
                assert customers_of(name) == {row["customer_id"] for row in expected}
    finally:
        SESSION.run("ROLLBACK")


def apply(now: dt.datetime, events: list, changed: list) -> set[str]:
    for customer, hours, kind in events:
        SESSION.run(
            "INSERT INTO lake.purchases SELECT $customer, $at, 2.5, $kind, TRUE, NULL",
            customer=customer, at=now - dt.timedelta(hours=hours, seconds=1), kind=kind,
        )  # fmt: skip
    for customer in changed:
        SESSION.run("UPDATE profile.customer SET n = 5, t = 'a' WHERE customer_id = $customer", customer=customer)
    return {customer for customer, *_ in events} | set(changed)


@pytest.fixture
def shop(tmp_path, outputs) -> Workbook:
    """A shop with two audiences: who bought in the last 30 days (streaming), and who bought and is in the other."""
    workbook = Workbook.open(write_shop(tmp_path / "p"))
    write(workbook, "recent", {"event": "purchases", "when": {"in_last": "30 days"}}, evaluation="streaming")
    write(workbook, "regular", {"all": [{"audience": "recent"}, {"field": "frequency", "op": "at least", "value": 1}]})
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived", "profile")
    return workbook


def write(workbook: Workbook, name: str, rule: dict, **more: Any) -> None:
    audience = validate(Audience, {"title": name, "rule": rule, **more}, name)
    audience_files.save(workbook, name, audience, audience_files.fingerprint(workbook, name))


def add_events(workbook: Workbook, name: str, text: str) -> None:
    (workbook.file.parent / name).write_text("customer,day,spent\n" + text, encoding="utf-8")
    ingest.ingest_files(workbook, "purchases", [workbook.file.parent / name])
    models.refresh(workbook, "derived", "profile")


def state(workbook: Workbook, table: str = "membership") -> set[tuple]:
    rows = workbook.query(f"audiences.{table}")
    return set(rows[["audience", "customer_id", "status"]].itertuples(index=False, name=None))


def test_statuses_and_history(shop: Workbook) -> None:
    audiences.evaluate(shop)  # as of 2024-03-02
    assert state(shop) == {("recent", "a", "realized"), ("recent", "c", "realized"), ("regular", "a", "realized")}
    add_events(shop, "more.csv", "b,2024-03-20,1.00\n")
    rows = {row["audience"]: row for row in audiences.evaluate(shop)}
    assert (rows["recent"]["entered"], rows["recent"]["departed"], rows["recent"]["customers"]) == (1, 1, 2)
    assert state(shop) == {
        ("recent", "a", "existing"), ("recent", "b", "realized"),
        ("regular", "a", "existing"), ("regular", "b", "realized"),
    }  # fmt: skip
    assert state(shop, "membership_history") == {("recent", "c", "exited")}
    left = shop.query("audiences.membership_history").iloc[0]
    assert (str(left["first_qualified_at"]), str(left["left_at"])) == ("2024-03-02 00:00:00", "2024-03-21 00:00:00")
    add_events(shop, "again.csv", "c,2024-03-21,1.00\n")
    audiences.evaluate(shop)
    back = shop.query("audiences.membership", audience="recent", customer_id="c").iloc[0]
    assert (str(back["first_qualified_at"]), str(back["last_qualified_at"])) == (
        "2024-03-02 00:00:00",
        "2024-03-22 00:00:00",
    )
    assert back["snapshot"] == 3
    assert back["rule_hash"] == audience_files.load(shop, "recent").hash
    assert state(shop, "membership_history") == {("recent", "c", "exited")}


def test_streaming_follows_and_windows_run_out_without_an_event(shop: Workbook) -> None:
    audiences.evaluate(shop)
    add_events(shop, "more.csv", "b,2024-03-20,1.00\n")
    by_name = {row["audience"]: row for row in audiences.follow(shop)}
    assert by_name["recent"] | {"customers": 2} == by_name["recent"]
    assert (by_name["recent"]["mode"], by_name["recent"]["entered"], by_name["recent"]["departed"]) == ("touched", 1, 1)
    assert by_name["regular"] == {"audience": "regular", "mode": "batch", "why_not": "its evaluation is batch"}
    assert {row for row in state(shop) if row[0] == "recent"} == {
        ("recent", "a", "existing"),
        ("recent", "b", "realized"),
    }


def test_a_failed_evaluation_leaves_everything_as_it_was(shop: Workbook) -> None:
    audiences.evaluate(shop)
    before = state(shop)
    write(shop, "wrong", {"field": "shoe", "op": "exists"})
    with pytest.raises(ParamsError, match=r"audiences/wrong.yml: rule.field is 'shoe', not in the profile"):
        audiences.evaluate(shop)
    with shop.engine.write() as session:
        assert session.scalar("SELECT MAX(evaluation) AS n FROM audiences.evaluation") == 1
    assert state(shop) == before


def test_an_audience_without_a_file_loses_its_customers(shop: Workbook) -> None:
    audiences.evaluate(shop)
    audience_files.file_of(shop, "regular").unlink()
    audiences.evaluate(shop)
    assert {row[0] for row in state(shop)} == {"recent"}
    assert state(shop, "membership_history") == {("regular", "a", "exited")}


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"field": "decile_lifetime", "op": "at most", "value": 3}, "one customer's event moves others"),
        ({"map": "decile", "lookback_months": 12, "op": "at most", "value": 3}, "decile ranks or models all customers"),
        ({"field": "days_since_purchase", "op": "at most", "value": 3}, "ask last_purchase_on with when in its place"),
        ({"audience": "slow"}, "the audience slow, which it asks for, waits for the batch"),
    ],
)
def test_the_rule_says_why_it_is_not_streamed(rule: dict, says: str) -> None:
    slow = validate(Audience, {"title": "slow", "rule": {"field": "n", "op": "exists"}}, "slow.yml")
    assert says in audiences.why_not_streaming("x", {"slow": slow, "x": streaming(rule)})[0]


def test_audiences_that_ask_for_each_other_are_refused(shop: Workbook) -> None:
    with pytest.raises(ParamsError, match=r"audience is (recent → regular|regular → recent) → re"):
        write(shop, "recent", {"audience": "regular"})
    with pytest.raises(ParamsError, match="audience is 'nobody'; allowed: regular"):
        write(shop, "recent", {"audience": "nobody"})
    assert literal(audience_files.load(shop, "recent").title).this == "recent"
