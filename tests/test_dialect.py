"""Values are literals, never SQL."""

from __future__ import annotations

import datetime as dt

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp
from sqlglot.errors import ParseError

from clv_helpers.engines.dialect import bind, is_in, literal, parse, syntax_error, table, to_sql


def evaluate(query: exp.Expression) -> object:
    return duckdb.connect().execute(to_sql(query)).fetchall()[0][0]


@given(st.one_of(st.text().filter(lambda t: "\x00" not in t), st.integers(-(2**62), 2**62), st.booleans(), st.none()))
def test_value_comes_back_as_it_went_in(value: object) -> None:
    assert evaluate(bind(parse("SELECT $v AS v"), {"v": value})) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_keep_every_bit(value: float) -> None:
    assert evaluate(bind(parse("SELECT $v AS v"), {"v": value})) == value


@pytest.mark.parametrize("value", [dt.date(2024, 2, 29), dt.datetime(2024, 2, 29, 23, 59, 58)])
def test_moments(value: object) -> None:
    assert evaluate(bind(parse("SELECT $v AS v"), {"v": value})) == value


def test_sql_in_a_value_stays_text() -> None:
    rows = bind(parse("SELECT COUNT(*) AS n FROM (SELECT 'a' AS x) AS t WHERE x = $v"), {"v": "a' OR 1=1 --"})
    assert evaluate(rows) == 0


def test_placeholder_takes_an_expression_and_names_what_is_missing() -> None:
    query = parse("SELECT COUNT(*) AS n FROM (SELECT 1 AS x UNION ALL SELECT 2) AS t WHERE $test")
    assert evaluate(bind(query, {"test": is_in(exp.column("x"), [2, 3])})) == 1
    assert evaluate(bind(query, {"test": is_in(exp.column("x"), [])})) == 0
    with pytest.raises(KeyError, match="test"):
        bind(query, {})


def test_names_are_quoted() -> None:
    assert to_sql(table('a.b"; DROP TABLE x')) == '"a"."b""; DROP TABLE x"'


def test_a_tree_is_written_the_same_every_time() -> None:
    """sqlglot changes some nodes as it writes them: written from itself, this would read QUANTILE_CONT(x, x)."""
    tree = parse("SELECT PERCENTILE_CONT(0.3) WITHIN GROUP (ORDER BY x) FROM t")
    assert to_sql(tree) == to_sql(tree) == "SELECT QUANTILE_CONT(x, 0.3 ORDER BY x) FROM t"


def test_no_literal_for_other_types() -> None:
    with pytest.raises(TypeError, match="set"):
        literal({1})


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELECT (a FROM t", "line 1: Expecting ) at 'FROM', after 'SELECT (a'"),
        ("SELECT a\nFROM t WHERE", "line 2: something is missing at 'WHERE', after 'FROM t'"),
        ("SELECT a\nFROM t\nLIMIT 3 4", "line 3: '4' is not expected here, after 'LIMIT 3'"),
    ],
)
def test_broken_sql_is_named_by_line_and_word(sql: str, says: str) -> None:
    with pytest.raises(ParseError) as error:
        parse(sql)
    assert syntax_error(error.value) == says
