"""Forms of SQL on which engines disagree, found by trying them: no table of sql/ may use one."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

BY_BOUNDARY = ("MONTH", "QUARTER", "YEAR", "WEEK")
ROUNDED = (exp.Floor, exp.Ceil, exp.Round, exp.Trunc)
COUNTED = (exp.Count, exp.DateDiff, exp.Sum, exp.Extract, exp.RowNumber, exp.Ntile, exp.Column, exp.Literal, exp.Case)
# Functions of DuckDB that Spark lacks, or understands otherwise; the same under the names sqlglot gives them.
LACKING = {
    "TO_DAYS", "DATESUB", "DATE_SUB", "LGAMMA", "HISTOGRAM", "LIST_SUM", "TIME_BUCKET", "AGE", "COLUMNS", "EPOCH",
    "RANGE", "GENERATE_SERIES", "APPROX_QUANTILE", "RESERVOIR_QUANTILE", "LIST_FILTER", "LIST_TRANSFORM",
}  # fmt: skip


def forms(query: exp.Expression) -> Iterator[str]:
    """What a query uses that it must not: a sentence for each."""
    for node in query.walk():
        if isinstance(node, exp.Qualify):
            yield "QUALIFY: with ORDER BY or LIMIT beside it, some engines filter too late"
        if isinstance(node, exp.DateDiff | exp.TimestampDiff) and node.text("unit").upper() in BY_BOUNDARY:
            yield f"DATE_DIFF of {node.text('unit')}: elapsed, or begun? Count years * 12 + months"
        if isinstance(node, exp.PercentileCont | exp.PercentileDisc | exp.Quantile | exp.ApproxQuantile):
            yield "percentiles: approximate on some engines"
        if isinstance(node, exp.Log) and not node.args.get("expression"):
            yield "LOG of one argument: to which base? LN or LOG(10, x)"
        if isinstance(node, exp.Cast) and node.to.is_type(*exp.DataType.INTEGER_TYPES) and not _whole(node.this):
            yield f"{node.sql('duckdb')}: rounded, or cut off? FLOOR or ROUND first"
        if isinstance(node, exp.Star) and (node.args.get("replace") or node.args.get("rename")):
            yield "* REPLACE and * RENAME"
        if isinstance(node, exp.WindowSpec) and node.args.get("exclude"):
            yield "EXCLUDE in a window's frame: dropped"
        if isinstance(node, exp.IgnoreNulls | exp.Pivot):
            yield f"{type(node).__name__}: dropped, or not there"
        if isinstance(node, exp.Join) and node.args.get("method") == "ASOF":
            yield "ASOF joins"
        if isinstance(node, exp.Div) and not _never_zero(node.expression):
            yield f"{node.sql('duckdb')}: NULL here and an error there, where it divides by zero; NULLIF"
        if isinstance(node, exp.Func):
            name = node.name.upper() if isinstance(node, exp.Anonymous) else node.sql_name()
            if name in LACKING or isinstance(node, exp.Week | exp.TimeToUnix | exp.GenerateSeries | exp.DateBin):
                yield f"{name}: not everywhere"


def _whole(node: exp.Expression) -> bool:
    """Whether a value is a whole number as it stands, as far as can be told: no division, mean or float in it."""
    if isinstance(node, ROUNDED):
        return True
    return not any(isinstance(each, exp.Div | exp.Avg | exp.Ln | exp.Sqrt) or _is_float(each) for each in node.walk())


def _is_float(node: exp.Expression) -> bool:
    if isinstance(node, exp.Cast):
        return node.to.is_type("double", "float", "decimal")
    return isinstance(node, exp.Literal) and not node.is_string and not node.is_int


def _never_zero(node: exp.Expression) -> bool:
    """NULLIF(…, 0), a number, or the count of the rows of a group, which has some."""
    if isinstance(node, exp.Paren):
        return _never_zero(node.this)
    if isinstance(node, exp.Nullif | exp.Literal):
        return True
    counts = isinstance(node, exp.Count) and isinstance(node.this, exp.Star)
    return counts or (isinstance(node, exp.Window | exp.Sum) and _never_zero(node.this)) or node.name in ROWS_OF_A_GROUP


# Columns that hold the number of rows of a group.
ROWS_OF_A_GROUP = ("customers",)
