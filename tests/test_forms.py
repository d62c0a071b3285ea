"""No table of sql/ is written in a form on which engines disagree, and the list of these forms is not idle."""

from __future__ import annotations

import pytest

from clv_helpers.engines.dialect import parse
from clv_helpers.models.table_file import SCHEMAS, Table, read_tables
from forms import forms

ALL = read_tables(*SCHEMAS)


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.name)
def test_table_is_written_for_every_engine(each: Table) -> None:
    assert list(forms(each.query)) == []


@pytest.mark.parametrize(
    "expression",
    [
        "DATE_DIFF('month', a, b)",
        "DATE_DIFF('year', a, b)",
        "QUANTILE_CONT(a, 0.5)",
        "PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY a)",
        "LOG(a)",
        "CAST(a / NULLIF(b, 0) AS INT)",
        "CAST(2.5 AS INT)",
        "CAST(AVG(a) AS BIGINT)",
        "a / b",
        "TO_DAYS(a)",
        "LIST_SUM(a)",
        "LGAMMA(a)",
        "HISTOGRAM(a)",
        "TIME_BUCKET(INTERVAL '1' DAY, a)",
        "EPOCH(a)",
        "WEEK(a)",
        "* REPLACE (a + 1 AS a)",
        "COLUMNS('a.*')",
        "SUM(a) OVER (ORDER BY b ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW)",
        "LAST_VALUE(a IGNORE NULLS) OVER (ORDER BY b)",
    ],
)
def test_form_is_found(expression: str) -> None:
    assert list(forms(parse(f"SELECT {expression} FROM t")))


@pytest.mark.parametrize(
    "query",
    [
        "SELECT a FROM t QUALIFY ROW_NUMBER() OVER (ORDER BY a) = 1 ORDER BY a LIMIT 5",
        "SELECT a FROM t ASOF JOIN u ON t.a >= u.a",
        "PIVOT t ON a USING SUM(b)",
        "SELECT a FROM RANGE(5) AS r(a)",
    ],
)
def test_query_is_found(query: str) -> None:
    assert list(forms(parse(query)))


def test_harmless_ones_are_left_alone() -> None:
    harmless = (
        "SELECT CAST(FLOOR(a / 10) AS INT), CAST(SUM(b) AS BIGINT), DATE_DIFF('day', a, b), LN(a), a / NULLIF(b, 0)"
    )
    assert list(forms(parse(f"{harmless} FROM t"))) == []
