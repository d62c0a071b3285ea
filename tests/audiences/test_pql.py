"""PQL: text and nodes say the same; what PQL has no form for is named; the wrapped body is what the API takes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings

from clv_helpers.adobe import pql
from clv_helpers.adobe.limits import platform_notes
from clv_helpers.audiences.formats import CannotExpress
from clv_helpers.audiences.rule import Audience
from clv_helpers.config.validation import validate
from strategies import RULES

OPENED = [{"field": "event_type", "op": "equals", "value": "opened"}]


def audience(rule: dict, **more: str) -> Audience:
    return validate(Audience, {"title": "x", "rule": rule, **more}, "x.yml")


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (
            {"map": "decile", "category": "GOLD", "lookback_months": 12, "op": "at most", "value": 3},
            '_tenant.decilesMileage.decileMonth12.get("GOLD") <= 3',
        ),
        ({"field": "t", "op": "contains", "value": 'say "x"'}, '_tenant.t.contains("say \\"x\\"")'),
        ({"field": "t", "op": "not equals", "value": "a"}, '(_tenant.t.isNotNull() and _tenant.t != "a")'),
        ({"field": "t", "op": "equals", "value": "a", "or_missing": True}, '(_tenant.t.isNull() or _tenant.t = "a")'),
        ({"not": {"field": "n", "op": "in", "value": [1, 2]}}, "not ((_tenant.n.isNotNull() and _tenant.n in [1, 2]))"),
        ({"field": "day", "when": {"in_last": "90 days"}}, "_tenant.day occurs <= 90 days before now"),
        ({"field": "day", "when": {"is": "this month"}}, "_tenant.day occurs this month"),
        ({"field": "day", "when": {"on": "2026-01-31"}}, "_tenant.day occurs on date(2026,1,31)"),
        (
            {"field": "day", "when": {"during": "2026-05", "ignore_year": True}},
            "_tenant.day.getMonth() = 5",
        ),
        (
            {"event": "email_events", "where": OPENED, "when": {"is": "today"}, "op": "at least", "value": 2},
            'xEvent.filter((eventType = "email_events" and timestamp occurs today and _tenant.event_type = "opened"))'
            ".count() >= 2",
        ),
        (
            {"event": "purchases", "aggregate": "sum", "of": "amount", "op": "more than", "value": 100},
            '(xEvent.filter(eventType = "purchases").filter(_tenant.amount.isNotNull()).count() > 0 and '
            'xEvent.filter(eventType = "purchases").filter(_tenant.amount.isNotNull()).sum(_tenant.amount) > 100)',
        ),
        (
            {"sequence": [{"event": "email_events"}, {"event": "purchases"}]},
            'CHAIN(xEvent, timestamp, [C0: WHAT(eventType = "email_events"), C1: WHAT(eventType = "purchases")])',
        ),
        ({"audience": "best"}, 'inSegment("best")'),
        ({"field": "n", "op": "at most", "than": "m", "plus": -2}, "_tenant.n <= _tenant.m - 2"),
        (
            {"field": "n", "op": "not equals", "than": "m"},
            "(_tenant.n.isNotNull() and _tenant.m.isNotNull() and _tenant.n != _tenant.m)",
        ),
    ],
)  # fmt: skip
def test_text(rule: dict, text: str) -> None:
    assert pql.to_text(audience(rule)) == text


@pytest.mark.parametrize(
    ("rule", "more", "names"),
    [
        ({"sequence": [{"event": "email_events"}, {"event": "purchases", "absent": True}]}, {}, "absent from"),
        ({"sequence": [{"event": "email_events"}, {"event": "email_events", "within": "1 day"}]}, {}, "between two"),
        ({"field": "day", "when": {"is": "today"}}, {"time_zone": "Asia/Kolkata"}, "in UTC only"),
        ({"field": "day", "op": "less than", "than": "next_day", "plus": "2 days"}, {}, "days added"),
        ({"field": "t", "op": "matches", "value": "(?P<x>a)"}, {}, "regular expressions are Java's"),
        ({"field": "t", "op": "in", "value": ["a"], "ignore_case": True}, {}, "in distinguishes small and capital"),
        ({"field": "day", "when": {"within": "3 days", "of": "today", "ignore_year": True}}, {}, "ignore the year"),
    ],
)  # fmt: skip
def test_what_pql_cannot_express_is_named(rule: dict, more: dict, names: str) -> None:
    with pytest.raises(CannotExpress, match=names):
        pql.to_text(audience(rule, **more))


@settings(max_examples=80)
@given(RULES)
def test_every_rule_has_a_form_or_a_reason(rule: dict) -> None:
    """Nodes are of the four documented types, and every value in them is one of the rule's or of PQL's words."""
    try:
        node = json.loads(pql.to_json(audience(rule)))
    except CannotExpress:
        return
    stack = [node]
    while stack:
        each = stack.pop()
        assert each["nodeType"] in ("fnApply", "fieldLookup", "parameterReference", "literal")
        stack += each.get("params", [])
        stack += [each["object"]] if "object" in each else []
        stack += each["value"] if each["nodeType"] == "literal" and isinstance(each["value"], list) else []


def test_days_of_any_year_wrap_and_more_than_a_year_is_every_day() -> None:
    def text(first: str, last: str) -> str:
        return pql.to_text(audience({"field": "day", "when": {"from": first, "to": last, "ignore_year": True}}))

    assert "getMonth() < 6" not in text("2024-01-01", "2025-06-01")
    turn_of_year = text("2024-12-20", "2025-01-10")
    assert "getDayOfMonth() >= 20" in turn_of_year
    assert "getDayOfMonth() <= 10" in turn_of_year


def test_definition() -> None:
    rule = {"field": "n", "op": "at most", "value": 3}
    body = pql.to_definition("best", audience(rule, evaluation="streaming"), "pql/json", tenant="_airline")
    assert body["expression"]["format"] == "pql/json"
    assert json.loads(body["expression"]["value"])["params"][0]["object"]["fieldName"] == "_airline"
    assert body["schema"] == {"name": "_xdm.context.profile"}
    assert (body["evaluationInfo"]["batch"], body["evaluationInfo"]["continuous"]) == (
        {"enabled": False},
        {"enabled": True},
    )


def test_the_platforms_limits_are_noted() -> None:
    many = {"all": [{"field": "n", "op": "equals", "value": n} for n in range(51)]}
    sums = [{"event": "purchases", "aggregate": "sum", "of": "a", "op": "at least", "value": n} for n in range(4)]
    chain = {"sequence": [{"event": "email_events"}, {"event": "purchases"}]}
    notes = "\n".join(
        note for rule in (many, {"all": sums}, {"any": [chain] * 7}) for note in platform_notes(audience(rule))
    )
    assert "allows 50 building blocks; this rule has 51" in notes
    assert "allows 3 aggregations; this rule has 4" in notes
    assert "allows 6 sequences; this rule has 7" in notes
    assert "would not stream it: events from longer ago than 24 hours" in notes
    year = audience({"field": "day", "when": {"on": "today", "ignore_year": True}})
    assert "ignores the year" in platform_notes(year)[-1]
