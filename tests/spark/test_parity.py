"""The same workbook on both engines, from the same batches: the same rows, audiences and files."""

from __future__ import annotations

import pytest

from clv_helpers import insights
from clv_helpers.engines.dialect import table
from clv_helpers.insights import QueryError
from clv_helpers.models.table_file import SCHEMAS, Table, read_tables
from parity import same_rows

ALL = read_tables(*SCHEMAS)
# Python or a run brings these, no file of sql/ does.
BROUGHT = {
    "audiences.membership_period": "audience, customer_id, evaluation",
    "audiences.evaluation": "audience, evaluation",
    "lifetime.score": "frequency, recency_days, age_days, cell",
    "lifetime.covariate_level": "covariate, level",
    "lifetime.second_purchase": "day",
    "lake.purchases": "event_id",
    "lake.customers": "customer_id",
}
# No forecast is a month old or leans on last year, and an airline is not visited by bots: test_bots_on_spark.py.
EMPTY = ("lifetime.forecast_outcome", "lifetime.customer_last_year", "derived.bot_feature", "profile.own_attribute")


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.name)
def test_table(both, each: Table) -> None:
    with both.spark.engine.read() as spark, both.duckdb.engine.read() as duckdb:
        rows = same_rows(each.name, each.key, spark, duckdb)
        assert rows > 0 or each.name in EMPTY


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
            "lake.purchases",
            "lake.customers",
            "lake.email_events",
            "derived.customer_day",
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
    assert files[0]
    assert [file.read_bytes() for file in files[0]] == [file.read_bytes() for file in files[1]]
    assert len(files[0][0].read_text().splitlines()) > 10


def test_only_aggregates_come_to_the_driver(both) -> None:
    """No collected row is of a person; the groups of the fits are as many as there are different histories."""
    with both.duckdb.engine.read() as session:
        histories = session.scalar(
            "SELECT COUNT(*) AS n FROM "
            "(SELECT DISTINCT frequency, recency_days, age_days, cell FROM lifetime.customer_history)"
        )
    groups = {"customers"}
    assert len(both.collected) > 50
    for each in both.collected:
        assert not {"customer_id", "email", "first_name", "last_name", "event_id"} & set(each.columns), each
        assert each.rows <= (histories if groups <= set(each.columns) else 100), each


def test_analyst_sql_ends_when_its_time_is_up_and_is_explained(both) -> None:
    many = "SELECT a.day AS one FROM derived.customer_day AS a CROSS JOIN derived.customer_day AS b"
    with pytest.raises(QueryError, match=r"SQL: it took longer than 1 seconds and was stopped; ask for less, or"):
        insights.query(
            both.spark, f"SELECT COUNT(*) FROM ({many}) AS m CROSS JOIN derived.customer_day AS c", seconds=1
        )
    with pytest.raises(QueryError, match="SQL: .*nope.* cannot be resolved"):
        insights.query(both.spark, "SELECT nope FROM derived.summary")
    answer = insights.people(both.spark, "SELECT day FROM derived.customer_day ORDER BY day", rows=3)
    assert len(answer.frame) == 3
    assert answer.note


def test_sql_over_no_table_or_what_is_kept_of_runs_has_the_same_ends(both) -> None:
    """Of these, Spark knows nothing: the driver's own DuckDB answers."""
    numbers = "(SELECT UNNEST(RANGE(1000000)) AS i)"
    long = f"SELECT SUM(a.i * b.i) AS s FROM {numbers} AS a CROSS JOIN {numbers} AS b"
    with pytest.raises(QueryError, match=r"SQL: it took longer than 0\.5 seconds and was stopped"):
        insights.query(both.spark, long, seconds=0.5)
    with pytest.raises(QueryError, match='line 1: Referenced column "nope" not found'):
        insights.query(both.spark, "SELECT nope FROM lake.batches")
    with pytest.raises(QueryError, match="it needs more than 2GB of memory"):
        insights.query(both.spark, f"SELECT LIST(r.i || REPEAT('x', 100000)) AS l FROM {numbers} AS r")
