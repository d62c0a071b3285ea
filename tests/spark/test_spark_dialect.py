"""Each rewrite, run on both engines: Spark gives what DuckDB gives. With sqlglot's own translation it would not."""

from __future__ import annotations

import duckdb
import pytest
from sqlglot import exp

from clv_helpers.engines.dialect import parse, to_sql
from clv_helpers.engines.spark.connection import connect
from clv_helpers.engines.spark.dialect import REWRITES, spark_sql
from on_spark import LOCAL

ROWS = """
    (SELECT * FROM (VALUES
        (1, 'a', CAST('2024-01-31' AS DATE), CAST('2024-02-01' AS DATE), CAST(10.25 AS DECIMAL(18, 4))),
        (2, 'a', CAST('2023-12-31' AS DATE), CAST('2024-01-01' AS DATE), CAST(0.1 AS DECIMAL(18, 4))),
        (3, 'b', CAST('2024-03-15' AS DATE), CAST('2026-02-14' AS DATE), CAST(7 AS DECIMAL(18, 4)))
    ) AS v(id, name, day, later, amount)) AS t
"""
QUERIES = {
    exp.Select: "SELECT id FROM {rows} QUALIFY ROW_NUMBER() OVER (PARTITION BY name ORDER BY id DESC) = 1 "
    "ORDER BY id LIMIT 2",
    exp.Div: "SELECT id, amount / id AS mean, SUM(id) OVER () / 7.0 AS share FROM {rows} ORDER BY id",
    exp.ArrayAgg: "SELECT name, LIST(id) AS ids FROM {rows} WHERE id = 3 GROUP BY name",
    exp.Filter: "SELECT name, LIST(id) FILTER (WHERE id > 2) AS ids FROM {rows} GROUP BY name ORDER BY name",
    exp.WithinGroup: "SELECT PERCENTILE_CONT(0.3) WITHIN GROUP (ORDER BY id) AS p FROM {rows}",
    exp.PercentileCont: "SELECT QUANTILE_CONT(id, 0.3) AS p FROM {rows}",
    exp.Quantile: "SELECT QUANTILE_CONT(id, 0.9) AS p FROM {rows}",
    exp.DateAdd: "SELECT id, CAST(DATE_ADD(day, INTERVAL 1 MONTH) AS DATE) AS m, CAST(DATE_ADD(day, id) AS DATE) AS d "
    "FROM {rows} ORDER BY id",
    exp.DateDiff: "SELECT id, DATE_DIFF('month', day, later) AS m, DATE_DIFF('quarter', day, later) AS q, "
    "DATE_DIFF('year', day, later) AS y, DATE_DIFF('day', day, later) AS d FROM {rows} ORDER BY id",
    exp.TimestampTrunc: "SELECT id, DATE_TRUNC('month', CAST(day AS TIMESTAMP)) AS m FROM {rows} ORDER BY id",
    exp.DateTrunc: "SELECT id, CAST(DATE_TRUNC('year', day) AS DATE) AS y FROM {rows} ORDER BY id",
    exp.Log: "SELECT id, LOG(id) AS l, LN(id) AS n FROM {rows} ORDER BY id",
    exp.Anonymous: "SELECT COUNT(DISTINCT HASH(id, name)) AS hashes FROM {rows}",
}


def test_every_rewrite_has_a_query() -> None:
    assert set(QUERIES) == {*REWRITES, exp.Select}


@pytest.mark.parametrize("kind", QUERIES, ids=lambda kind: kind.__name__)
def test_both_engines_agree(java: None, kind: type[exp.Expression]) -> None:
    query = parse(QUERIES[kind].format(rows=ROWS))
    expected = duckdb.connect().sql(to_sql(query)).to_arrow_table().to_pylist()
    found = connect(LOCAL).sql(spark_sql(query)).toArrow().to_pylist()
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-12) if _plain(theirs) else ours == theirs


def _plain(row: dict) -> bool:
    return all(isinstance(value, int | float) for value in row.values())


def test_sqlglot_alone_would_be_wrong() -> None:
    """If this fails, sqlglot has learnt better, and a rewrite can go."""
    alone = {kind: to_sql(parse(QUERIES[kind].format(rows=ROWS)), "spark") for kind in QUERIES}
    assert "QUALIFY" not in alone[exp.Select]
    assert "PERCENTILE_APPROX" in alone[exp.WithinGroup]
    assert "DATEDIFF(MONTH" in alone[exp.DateDiff]
    assert "CAST(amount AS DOUBLE)" not in alone[exp.Div]
    assert "LOG(id)" in alone[exp.Log]
