"""The same workbook on both engines, from the same batches: the same rows, audiences and files."""

from __future__ import annotations

import pytest

from clv_helpers.engines.dialect import table
from clv_helpers.lake.tables import SQL_FOLDER, Table, read_tables
from parity import same_rows

ALL = read_tables(*(folder.name for folder in SQL_FOLDER.iterdir()))
# Python or a run brings these, no file of sql/ does.
BROUGHT = {
    "audiences.spell": "audience, membership_number, evaluation",
    "audiences.evaluation": "audience, evaluation",
    "lifetime.score": "frequency, recency_days, age_days",
    "lake.loyalty_events": "event_id",
    "lake.members": "membership_number",
}


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.name)
def test_table(both, each: Table) -> None:
    with both.spark.engine.read() as spark, both.duckdb.engine.read() as duckdb:
        assert same_rows(each.name, each.key, spark, duckdb) > 0 or each.name in EMPTY


# Nothing of the simulated airline belongs there: no row is rejected, nobody gave back more than they spent, one day.
EMPTY = {
    "derived.rejected_reason",
    "lifetime.refunded_day",
    "profile.event_attribute",
    "experiments.outcome_group",
    "campaigns.rejected_response",
    "campaigns.shared_address",
    "audiences.membership_history",
    "kpi.audience_size_change_trend",
}


@pytest.mark.parametrize(("name", "key"), BROUGHT.items())
def test_what_python_brings(both, name: str, key: str) -> None:
    with both.spark.engine.read() as spark, both.duckdb.engine.read() as duckdb:
        assert same_rows(name, tuple(key.split(", ")), spark, duckdb) > 0


def test_both_have_the_same_tables(both) -> None:
    with both.spark.engine.read() as spark, both.duckdb.engine.read() as duckdb:
        assert spark.tables() == duckdb.tables()


def test_columns_are_of_the_same_types_by_name(both) -> None:
    """Not the width of whole numbers and of exact decimals, which sums make wider on one than on the other."""
    with both.spark.engine.read() as spark, both.duckdb.engine.read() as duckdb:
        for name in (
            "lake.loyalty_events",
            "lake.members",
            "lake.email_events",
            "derived.member_day",
            "profile.attribute",
        ):
            ours, theirs = (
                {key: "DECIMAL" if "DECIMAL" in kind else kind for key, kind in session.columns(table(name)).items()}
                for session in (spark, duckdb)
            )
            differing = {key: (ours[key], theirs[key]) for key in theirs if ours[key] != theirs[key]}
            assert all({a, b} <= {"INTEGER", "BIGINT", "HUGEINT"} for a, b in differing.values()), (name, differing)


def test_exported_files_are_the_same_bytes(both) -> None:
    files = [sorted(path for path in folder.iterdir() if path.suffix == ".csv") for folder in both.exports.values()]
    assert files[0] and [file.read_bytes() for file in files[0]] == [file.read_bytes() for file in files[1]]
    assert len(files[0][0].read_text().splitlines()) > 10


def test_only_aggregates_come_to_the_driver(both) -> None:
    """No collected row is of a person; the groups of the fits are as many as there are different histories."""
    with both.duckdb.engine.read() as session:
        histories = session.scalar(
            "SELECT COUNT(*) AS n FROM (SELECT DISTINCT frequency, recency_days, age_days FROM lifetime.member_history)"
        )
    groups = {"customers"}
    assert len(both.collected) > 50
    for each in both.collected:
        assert not {"membership_number", "email", "first_name", "last_name", "event_id"} & set(each.columns), each
        assert each.rows <= (histories if groups <= set(each.columns) else 100), each
