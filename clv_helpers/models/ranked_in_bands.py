"""NTILE over many rows without sorting them all: most bands of values lie within one place, the rest are put in order.

Between ten places there are nine borders. Values are counted in narrow bands; a band through which no border runs has
its place at once, and the rows of the few others are put in order, each band by itself. An engine that works out NTILE
sorts every row, and one that shares out its work leaves a whole ranking to one core. The places are the same.

Predicted values are ranked likewise by tables of their own (sql/lifetime/value_band.sql): their rows are wide, and kept
here until all are placed they would take twice the memory.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from clv_helpers.engines.dialect import expression

# Never falls where a value rises, as IEEE 754 has square roots rounded correctly, and that is all that a band must
# keep to. At a value of 1,000 a band is 1 % wide. Rows without a value come last.
BAND = "COALESCE(CAST(SIGN($value) * SQRT(SQRT(ABS(CAST($value AS DOUBLE)))) * 64 AS INT), -2147483648)"
# Of a row behind so many of its ranking; the first places are larger by one where they do not divide.
PLACE = """
    CAST(1 + GREATEST(
        $behind // (_ranked // $places + 1), ($behind - _ranked % $places) // NULLIF(_ranked // $places, 0)
    ) AS BIGINT)
"""
RANKED = """
    WITH banded AS (
        SELECT *, $band AS _band FROM $source AS r
    ),
    counted AS (
        SELECT $keys, _band, COUNT(*) AS _rows FROM banded GROUP BY $columns
    ),
    summed_up AS (
        SELECT *, CAST($up_to - _rows AS BIGINT) AS _behind, CAST($all AS BIGINT) AS _ranked FROM counted
    ),
    bands AS (
        SELECT *, $first = $last AS _is_whole FROM summed_up
    )
    SELECT b.*, t._ranked, t._behind FROM banded AS b JOIN bands AS t ON $same WHERE t._is_whole
    UNION ALL
    SELECT b.*, t._ranked, t._behind + $number - 1 FROM banded AS b JOIN bands AS t ON $same WHERE NOT t._is_whole
"""


def in_bands(query: exp.Query) -> exp.Query:
    """A query that works out each `NTILE(n) OVER (PARTITION BY … ORDER BY number DESC, …)` of a SELECT in bands.

    What it orders by first must be a number, and the SELECT name its columns. Rows and places are the same.
    Cost: the rows are read three times, and those of the cut bands sorted: a few in a hundred, all where all are equal.

    Example:
        >>> from clv_helpers.engines.dialect import parse, to_sql
        >>> ranked = in_bands(parse("SELECT n, NTILE(4) OVER (ORDER BY n DESC) AS place FROM range(8) AS r(n)"))
        >>> duckdb.sql(to_sql(ranked)).order("n DESC").fetchall()[:3]
        [(7, 1), (6, 1), (5, 2)]
    """
    query = query.copy()
    for ntile in list(query.find_all(exp.Ntile)):
        window, select = ntile.find_ancestor(exp.Window), ntile.find_ancestor(exp.Select)
        if window and select:
            rows = exp.Select(from_=select.args["from_"], where=select.args.get("where"))
            select.set("from_", exp.From(this=_ranked(rows, window).subquery("ranked")))
            select.set("where", None)
            window.replace(_place(exp.column("_behind"), window))
    return query


def _place(behind: exp.Expr, window: exp.Window) -> exp.Expr:
    return expression(PLACE, behind=behind, places=window.this.this)


def _ranked(rows: exp.Select, window: exp.Window) -> exp.Query:
    """The rows of a SELECT, with how many are ranked with each, and how many of them before it (or its whole band)."""
    parts: list[exp.Expr] = window.args.get("partition_by") or []
    keys = {exp.to_identifier(f"_key_{number}"): part for number, part in enumerate(parts)}
    best, *_ = window.args["order"].expressions
    of_key = [exp.column(key) for key in keys]
    by_band = exp.Order(expressions=[exp.Ordered(this=exp.column("_band"), desc=True)])

    def over(value: str, partition: Sequence[exp.Expr], order: exp.Expr | None = None) -> exp.Window:
        return exp.Window(this=expression(value), partition_by=partition, order=order)

    same = [exp.NullSafeEQ(this=part, expression=exp.column(key, "t")) for key, part in keys.items()]
    query = expression(
        RANKED, source=rows.select("*"), band=expression(BAND, value=best.this),
        keys=[exp.alias_(part, key) for key, part in keys.items()],
        columns=[*parts, exp.column("_band")],
        up_to=over("SUM(_rows)", of_key, by_band), all=over("SUM(_rows)", of_key),
        first=_place(exp.column("_behind"), window), last=_place(expression("(_behind + _rows - 1)"), window),
        number=over("ROW_NUMBER()", [*parts, exp.column("_band", "b")], window.args["order"]),
        same=exp.and_(expression("b._band = t._band"), *same),
    )  # fmt: skip
    return query.assert_is(exp.Union)
