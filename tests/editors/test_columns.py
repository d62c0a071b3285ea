"""What an editor shows of a column: its kind in one word, and what the table's header says of it."""

from __future__ import annotations

import pytest

from clv_helpers.conditions import Attribute, kind_of
from clv_helpers.config.workbook import Workbook
from clv_helpers.editors import attributes, columns
from clv_helpers.engines.dialect import table


@pytest.mark.parametrize(
    ("engine_type", "kind"),
    [
        ("VARCHAR", "text"), ("string", "text"), ("DECIMAL(18,2)", "number"), ("DOUBLE", "number"),
        ("HUGEINT", "integer"), ("BIGINT", "integer"), ("INT", "integer"), ("BOOLEAN", "boolean"), ("DATE", "date"),
        ("TIMESTAMP WITH TIME ZONE", "timestamp"), ("STRUCT(a INTEGER)", "other"), ("BLOB", "other"),
    ],
)  # fmt: skip
def test_a_kind_in_one_word(engine_type: str, kind: str) -> None:
    assert kind_of(engine_type) == kind


@pytest.mark.parametrize(
    ("name", "kind", "measures"),
    [
        ("spend", "number", True),
        ("customers", "integer", True),
        ("decile", "integer", False),
        ("region", "text", False),
    ],
)
def test_what_measures_is_added_up(name: str, kind: str, measures: bool) -> None:
    assert Attribute(name, kind, "").is_measure is measures


def test_columns_come_in_the_tables_order(airline: Workbook) -> None:
    with airline.engine.read() as session:
        source = table("insights.fact_value_by_decile")
        names = [attribute.name for attribute in attributes(session, source, "insights.fact_value_by_decile")]
        assert names == list(session.columns(source))
        assert columns.values(session, source, "decile", most=3) == [1, 2, 3]
    assert columns.one_row("insights.fact_value_by_decile")
    assert columns.one_row("nowhere.at_all") == ""
