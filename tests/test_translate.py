"""Our SQL in other engines' words; test_postgres.py and spark/ let the engines judge it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import sqlglot

from clv_helpers.cli.translation import translated
from clv_helpers.config.sql_params import params_bindings
from clv_helpers.config.workbook import ROOT, Workbook
from clv_helpers.engines.translate import TARGETS, TranslationError
from clv_helpers.models.table_file import SCHEMAS, read_tables

ALL = [each.name for each in read_tables(*SCHEMAS)]
OWN = ("insights.dim_region", "insights.fact_value_by_region")  # the airline's
TEN = (
    "derived.customer_day",
    "derived.customer_value",
    "derived.customer_decile",
    "insights.deciles_mileage",
    "profile.customer",
    "insights.fact_value_by_month",
    "lifetime.customer_forecast",
    "audiences.membership",
    "activation.arm",
    "campaigns.fact_campaign_result",
)


@pytest.mark.parametrize("target", TARGETS)
def test_every_table_is_translated_or_refused_with_a_reason(airline: Workbook, target: str) -> None:
    refused = []
    for name in [*ALL, *OWN]:
        try:
            text = translated(airline, name, target)
        except TranslationError as error:
            refused.append(str(error))
            continue
        assert sqlglot.parse_one(text, dialect=target) is not None
        assert "$" not in text
    assert not refused or target not in ("spark", "postgres", "databricks")
    assert all(reason.startswith(target) for reason in refused) and len(refused) < 10, refused


def test_stars_are_written_out_where_none_can_be_left_out(airline: Workbook) -> None:
    for target in ("trino", "postgres"):
        text = translated(airline, "profile.attribute", target)
        assert "EXCEPT (" not in text
        assert "a.region AS region" in text


def test_stars_without_known_columns_are_refused(outputs: Path) -> None:
    workbook = Workbook.open(ROOT / "params" / "airline.yml")
    with pytest.raises(TranslationError, match="postgres has no \\* without some columns"):
        translated(workbook, "profile.attribute", "postgres")


def test_select_with_qualify_filters_before_it_orders(airline: Workbook) -> None:
    query = "SELECT a FROM t QUALIFY ROW_NUMBER() OVER (ORDER BY b) = 1 ORDER BY a LIMIT 5"
    for target in ("trino", "postgres"):
        tree = sqlglot.parse_one(translated(airline, query, target), dialect=target)
        assert tree.args["limit"]
        assert tree.args["order"]
        assert not tree.find(sqlglot.exp.Qualify)
        assert not any(inner.args.get("limit") for inner in tree.find_all(sqlglot.exp.Subquery))


def test_values_of_the_params_stand_in_it_and_as_of(airline: Workbook) -> None:
    text = translated(airline, "derived.customer_day", "snowflake")
    with airline.engine.read() as session:
        as_of: dt.date = session.scalar("SELECT as_of FROM derived.as_of")
    assert f"'{as_of}'" in text
    assert "'STATUS_MILES'" in text
    assert params_bindings(airline.params)["no_category"] in text
    assert ":margin" in translated(airline, "lifetime.customer_forecast", "snowflake")


@pytest.mark.parametrize(
    ("query", "target", "said"),
    [
        ("derived.nowhere", "spark", "there is no table derived.nowhere"),
        ("SELECT a FROM t", "oracle", "allowed: spark, snowflake"),
        ("SELECT FROM WHERE", "spark", "SQL, line 1"),
    ],
)
def test_what_cannot_be_translated_is_said(airline: Workbook, query: str, target: str, said: str) -> None:
    with pytest.raises(TranslationError, match=said):
        translated(airline, query, target)


@pytest.mark.parametrize(
    ("query", "target"),
    [
        ("SELECT MAX_BY(a, b) FILTER (WHERE c > 1) AS m FROM t", "postgres"),
        ("SELECT MAX_BY(a, b) OVER (PARTITION BY c) AS m FROM t", "postgres"),
        ("SELECT MAX_BY(a, b, 3) AS m FROM t", "postgres"),
        ("SELECT MAX_BY(a, CASE WHEN x THEN {'b': b} ELSE {'b': c} END) AS m FROM t", "postgres"),
        ("SELECT MAX_BY(a, CASE WHEN x THEN {'b': b} WHEN y THEN {'b': c} END) AS m FROM t", "postgres"),
    ],
)
def test_ranks_without_words_are_refused(airline: Workbook, query: str, target: str) -> None:
    with pytest.raises(TranslationError, match=f"{target} has no words for"):
        translated(airline, query, target)


@pytest.mark.parametrize("target", TARGETS)
def test_intervals_are_added_with_their_unit(airline: Workbook, target: str) -> None:
    text = translated(airline, "SELECT DATE_ADD(d, INTERVAL 2 MONTH) AS e, DATE_ADD(d, n) AS f FROM t", target)
    assert "MONTH" in text
    assert "INTERVAL (" not in text
    assert "DATEADD(DAY, INTERVAL" not in text
    assert target != "postgres" or "INTERVAL '1 DAY' * n" in text
