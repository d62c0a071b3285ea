"""Places found in bands are those of NTILE: whatever the values, ties, groups and number of places."""

from __future__ import annotations

from decimal import Decimal

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from query_plans import operators
from sqlglot import exp

from clv_helpers.engines.dialect import expression, parse, to_sql
from clv_helpers.models.ranked_in_bands import BAND, in_bands
from clv_helpers.models.table_file import SCHEMAS, read_schemas

NTILE = """
    SELECT id, category, value,
        NTILE($places) OVER (PARTITION BY category, id % 2 ORDER BY value DESC, MD5(CAST(id AS VARCHAR)), id) AS place
    FROM ranked_rows
    WHERE NOT id IS NULL
"""
# cents around a few values, so that many are equal, and all of DECIMAL(18, 4)
NEAR = st.integers(-30, 30).map(lambda n: Decimal(n) / 4)
ANY = st.integers(-(10**18) + 1, 10**18 - 1).map(lambda n: Decimal(n) / 10_000)
CATEGORY = st.sampled_from(["gold", "", None])


def placed(connection: duckdb.DuckDBPyConnection, query: exp.Expr) -> list[tuple]:
    return connection.execute(f"SELECT * FROM ({to_sql(query)}) ORDER BY id").fetchall()


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(CATEGORY, st.one_of(st.none(), NEAR, ANY)), max_size=80), st.integers(1, 12))
@example([("gold", Decimal(1))] * 25, 10)  # all equal
@example([("gold", Decimal(n)) for n in range(7)], 10)  # fewer than places
@example([(None, None)] * 30, 4)
def test_places_are_those_of_ntile(rows: list[tuple[str | None, Decimal | None]], places: int) -> None:
    query = expression(NTILE, places=places)
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE ranked_rows (id BIGINT, category VARCHAR, value DECIMAL(18, 4))")
        for number, row in enumerate(rows):
            connection.execute("INSERT INTO ranked_rows VALUES (?, ?, ?)", [number, *row])
        assert placed(connection, in_bands(query)) == placed(connection, query)


@settings(deadline=None)
@given(ANY, st.integers(1, 3))
def test_a_larger_value_is_in_no_lower_band(value: Decimal, more: int) -> None:
    of = [to_sql(expression(BAND, value=expression("CAST($n AS DECIMAL(18, 4))", n=str(n))))
          for n in (value, min(value + Decimal(more) / 10_000, Decimal("99999999999999.9999")))]  # fmt: skip
    with duckdb.connect() as connection:
        [[lower, higher]] = connection.execute(f"SELECT {', '.join(of)}").fetchall()
    assert lower <= higher


def test_few_of_many_rows_are_put_in_order() -> None:
    ranked = in_bands(parse("SELECT n, NTILE(10) OVER (ORDER BY value DESC, n) AS place FROM many"))
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE many AS SELECT n, hash(n) % 900000 / 10 AS value FROM range(200000) AS r(n)")
        steps = operators(connection, to_sql(ranked))
    windows = [step["operator_cardinality"] for step in steps if "WINDOW" in step.get("operator_name", "")]
    assert 0 < sum(windows) < 20_000


@pytest.mark.parametrize("table", [
    each for each in read_schemas(SCHEMAS) if each.query.find(exp.Ntile)
], ids=lambda each: each.name)  # fmt: skip
def test_each_ranking_of_ours_is_of_a_number_downwards_with_ties_in_order(table) -> None:
    for window in table.query.find_all(exp.Window):
        if isinstance(window.this, exp.Ntile):
            best, *ties = window.args["order"].expressions
            assert best.args["desc"] and best.this.name == "value", "bands go by a number, the highest first"
            assert [type(tie.this) for tie in ties] == [exp.MD5, exp.Column]
            assert not window.find_ancestor(exp.Select).args.get("joins"), "what is ranked is one table or CTE"
