"""Memberships: who is realized, existing or exited; after micro-batches the same as evaluated on schedule."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clv_helpers import audiences, ingest, models, run
from clv_helpers.audiences import audience_files, memberships
from clv_helpers.audiences.compile import to_customers
from clv_helpers.audiences.rule import Audience
from clv_helpers.config import yaml_files
from clv_helpers.config.validation import ParamsError, validate
from clv_helpers.config.workbook import Workbook
from clv_helpers.config.yaml_files import fingerprint
from clv_helpers.engines.dialect import literal
from clv_helpers.run.refresh_all import refresh_after_ingest
from conftest import write_shop
from strategies import NOW, RULES, small_store

SESSION, _ = small_store()
STEPS = st.sampled_from([dt.timedelta(), dt.timedelta(hours=7), dt.timedelta(days=1), dt.timedelta(days=30)])


@settings(max_examples=15)
@given(st.lists(st.tuples(STEPS, RULES), min_size=1, max_size=4))
def test_periods_follow_the_rule_from_evaluation_to_evaluation(evaluations: list[tuple[dt.timedelta, dict]]) -> None:
    """Whoever meets the rule has one open period, begun when the customer came in; who no longer does has none."""
    SESSION.run("BEGIN")
    try:
        SESSION.run("DROP TABLE audiences.membership_period")
        now, entered = NOW, dict[str, dt.datetime]()
        for step, rule in evaluations:
            now += step
            audience = validate(Audience, {"title": "x", "rule": rule}, "x.yml")
            current = memberships.begin(SESSION, now)
            expected = {
                row["customer_id"] for row in SESSION.rows(to_customers(audience.rule, current.context(audience)))
            }
            row = memberships.evaluate_one(SESSION, "a", audience, current)
            assert (row.customers, row.realized, row.exited) == (
                len(expected), len(expected - entered.keys()), len(entered.keys() - expected),
            )  # fmt: skip
            entered = {customer: entered.get(customer, now) for customer in expected}
            periods = SESSION.rows(
                "SELECT * FROM audiences.membership_period WHERE left_at IS NULL ORDER BY customer_id"
            )
            assert [(p["customer_id"], p["last_qualified_at"]) for p in periods] == sorted(entered.items())
    finally:
        SESSION.run("ROLLBACK")


@pytest.fixture
def shop(tmp_path, outputs) -> Workbook:
    """A shop with two audiences: who bought in the last 30 days (streaming), and who bought and is in the other."""
    workbook = Workbook.open(write_shop(tmp_path / "p"))
    write(workbook, "recent", {"event": "purchases", "when": {"in_last": "30 days"}}, evaluation="streaming")
    write(workbook, "regular", {"all": [{"audience": "recent"}, {"field": "frequency", "op": "at least", "value": 1}]})
    for name in set(audience_files.names(workbook)) - {"recent", "regular"}:  # built-in ones, copied with the first
        audience_files.file_of(workbook, name).unlink()
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived", "profile")
    return workbook


def write(workbook: Workbook, name: str, rule: dict, **more: Any) -> None:
    audience = validate(Audience, {"title": name, "rule": rule, **more}, name)
    audience_files.save(workbook, name, audience, fingerprint(audience_files.file_of(workbook, name)))


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
    rows = {row.audience: row for row in audiences.evaluate(shop)}
    assert (rows["recent"].realized, rows["recent"].exited, rows["recent"].customers) == (1, 1, 2)
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


def test_streaming_audiences_are_those_of_a_full_evaluation_after_each_batch(shop: Workbook) -> None:
    """Ranks, windows that run out, and audiences asked for: whatever the rule, and without evaluating on schedule."""
    write(shop, "best", {"field": "decile_lifetime", "op": "at most", "value": 5}, evaluation="streaming")
    write(shop, "regular_best", {"all": [{"audience": "regular"}, {"audience": "best"}]}, evaluation="streaming")
    write(shop, "on_schedule", {"field": "frequency", "op": "at least", "value": 0})
    refresh_after_ingest(shop)
    for number, line in enumerate(("b,2024-03-20,1.00\n", "b,2024-03-21,900\nc,2024-03-21,1\n", "a,2024-06-01,1\n")):
        (shop.file.parent / f"{number}.csv").write_text(f"customer,day,spent\n{line}", encoding="utf-8")
        ingest.ingest_files(shop, "purchases", [shop.file.parent / f"{number}.csv"])
        refresh_after_ingest(shop)
        streamed = {row[:2] for row in state(shop)}
        assert not any(row[0] == "on_schedule" for row in streamed)
        sizes = shop.query("audiences.fact_audience").set_index("audience")["customers"]
        assert all(sizes[name] == sum(row[0] == name for row in streamed) for name in sizes.index)
        with shop.engine.write() as session:  # not published, and undone
            audiences.evaluate_within(session, shop)
            rows = session.rows("SELECT audience, customer_id FROM audiences.membership_period WHERE left_at IS NULL")
            session.rollback()
        assert {tuple(row.values()) for row in rows if row["audience"] != "on_schedule"} == streamed


def test_micro_batches_that_change_nothing_leave_one_row_in_the_log(shop: Workbook) -> None:
    for _ in range(3):
        refresh_after_ingest(shop)
    with shop.engine.write() as session:
        rows = session.rows("SELECT mode, realized, exited FROM audiences.evaluation ORDER BY evaluation")
    assert [tuple(row.values()) for row in rows] == [("streaming", 2, 0), ("streaming", 0, 0)]


def test_nothing_is_evaluated_where_no_audience_is_streamed(shop: Workbook) -> None:
    write(shop, "recent", {"field": "frequency", "op": "exists"})
    with shop.engine.write() as session:
        assert audiences.evaluate_streaming(session, shop) == []


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


def test_audiences_that_ask_for_each_other_are_refused(shop: Workbook) -> None:
    with pytest.raises(ParamsError, match=r"audience is (recent → regular|regular → recent) → re"):
        write(shop, "recent", {"audience": "regular"})
    with pytest.raises(ParamsError, match="audience is 'nobody'; allowed: regular"):
        write(shop, "recent", {"audience": "nobody"})
    assert literal(audience_files.load(shop, "recent").title).this == "recent"


def predict(workbook: Workbook, rows: str) -> None:
    """The rows of the prediction as a fit would leave them, or a stage run alone."""
    with workbook.engine.write(publish=True) as session:
        session.run("DELETE FROM lifetime.customer_lifetime_value")
        session.run(f"INSERT INTO lifetime.customer_lifetime_value BY NAME {rows}")


def test_who_is_in_stays_where_nothing_is_left_of_what_the_rule_asks_about(shop: Workbook) -> None:
    """As where the prediction was refused: not evaluated to nobody, and said; once it is back, as ever."""
    write(shop, "worth", {"field": "lifetime_value", "op": "at least", "value": 50})
    predict(shop, "SELECT customer_id, 100.0 AS lifetime_value FROM profile.attribute")
    assert [(row.customers, row.realized) for row in audiences.evaluate(shop, "worth")] == [(3, 3)]
    assert not audiences.file_warnings(shop, "worth")
    predict(shop, "SELECT customer_id, 100.0 AS lifetime_value FROM profile.attribute WHERE FALSE")
    (row,) = audiences.evaluate(shop, "worth")
    assert (row.customers, row.realized, row.exited) == (3, 0, 0)
    assert row.doubt == "audiences/worth.yml asks about lifetime_value, which no customer has; who was in it stays"
    assert {each[:2] for each in state(shop)} == {("worth", name) for name in "abc"}
    (warning,) = audiences.file_warnings(shop, "worth")
    assert "lifetime_value, which no customer has" in warning.sentence
    predict(shop, "SELECT customer_id, 10.0 AS lifetime_value FROM profile.attribute")
    (row,) = audiences.evaluate(shop, "worth")
    assert (row.customers, row.exited, row.doubt) == (0, 3, "")  # nobody, rightly


@pytest.mark.parametrize(
    "rule",
    [{"audience": "gone"}, {"field": "no_such_column", "op": "exists"}, {"field": "frequency", "op": "nearly"}],
)
def test_a_refresh_keeps_who_is_in_an_audience_that_can_no_longer_be_read(shop: Workbook, rule: dict) -> None:
    """It asks for an audience or a column that is gone, or is no rule; those that can be read are evaluated."""
    run.refresh(shop)
    before = {row for row in state(shop) if row[0] == "recent"}
    assert before
    file = audience_files.file_of(shop, "recent")
    file.write_text(yaml_files.dump({"title": "recent", "rule": {"all": [rule]}, "evaluation": "streaming"}), "utf-8")
    rows = {row.table: row.mode for row in run.refresh(shop)}
    assert rows["audiences.membership_period"] == "partly"
    assert {row[:2] for row in state(shop)} >= {row[:2] for row in before}
    assert "recent" in set(shop.query("insights.dim_audience")["audience"])
    refresh_after_ingest(shop)
    with pytest.raises(ParamsError):
        audiences.evaluate(shop)
    file.unlink()
    audience_files.file_of(shop, "regular").unlink()
    write(shop, "frequent", {"field": "frequency", "op": "at least", "value": 1})
    assert {row.table: row.mode for row in run.refresh(shop)}["audiences.membership_period"] == "evaluated"
    assert not {row for row in state(shop) if row[0] == "recent"}
