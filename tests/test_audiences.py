"""Audiences of the workbooks: whom they hold, and what a wrong file says. The folder audiences/ tests the parts."""

from __future__ import annotations

import re

import pytest

from clv_helpers import audiences
from clv_helpers.audiences import Audience, views
from clv_helpers.config.validation import ParamsError, validate
from clv_helpers.config.workbook import Workbook


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"all": []}, "rule.all is []; allowed: "),
        ({}, "exactly one of them"),
        ({"all": [{"field": "n", "op": "at most"}]}, "rule.all[0].value is None; allowed: one value"),
        ({"all": [{"field": "n", "op": "about", "value": 1}]}, "rule.all[0].op is 'about'; allowed: 'equals'"),
        ({"all": [{"field": "n", "op": "between", "value": 1}]}, "allowed: two values"),
        ({"any": [{"not": {"field": "n", "op": "in", "value": []}}]}, "allowed: a list of at least one value"),
        ({"all": [{"every": []}]}, "rule.all[0].every is not a key; did you mean event?"),
        ({"all": [{"feild": "n"}]}, "rule.all[0].feild is not a key; did you mean field?"),
        ({"field": "n", "op": "matches", "value": "(a"}, "a regular expression that RE2 compiles (missing ): (a)"),
        ({"field": "n", "op": "matches", "value": r"(a)\1"}, r"a regular expression that RE2 compiles (invalid escape"),
        ({"field": "n", "op": "equals", "value": "a\0b"}, "a text with the character NUL"),
        ({"field": "n", "when": {"in_last": "90 dais"}}, "when.in_last is '90 dais'; allowed: a number and a unit"),
        ({"field": "n", "when": {"on": "2026-02-30"}}, "when.on is '2026-02-30'; allowed: today, yesterday"),
        ({"field": "n", "when": {"in_last": "1 day", "on": "today"}}, "allowed: exactly one of is, in_last"),
        ({"field": "n", "when": {"in_last": "1 day", "ignore_year": True}}, "only with a day, days or a month"),
        ({"event": "email_events", "op": "at least", "value": 1.5}, "allowed: a whole number, zero or more"),
        ({"event": "email_events", "aggregate": "sum", "value": 1}, "of is None; allowed: the column to aggregate"),
        ({"sequence": [{"event": "email_events"}]}, "rule.sequence is "),
        (
            {"sequence": [{"event": "email_events"}, {"event": "email_events", "within": "2 months"}]},
            "rule.sequence[1].within is '2 months'; allowed: seconds, minutes, hours, days (of 24 hours) or weeks",
        ),
    ],
)  # fmt: skip
def test_wrong_rule_is_named_with_its_place(rule: dict, says: str) -> None:
    with pytest.raises(ParamsError) as refused:
        validate(Audience, {"title": "x", "rule": rule}, "audiences/x.yml")
    assert says in str(refused.value)


def test_time_zone_that_is_none() -> None:
    with pytest.raises(ParamsError, match="time_zone is 'Mars'; allowed: a name such as UTC or Europe/Berlin"):
        validate(Audience, {"title": "x", "time_zone": "Mars", "rule": {"audience": "y"}}, "x.yml")


def test_sizes_are_exact(airline: Workbook) -> None:
    people = airline.query("profile.customer")
    quiet = people[(people["decile_lifetime"] <= 3) & people["days_since_purchase"].between(90, 365)]
    sizes = airline.query("audiences.fact_audience").set_index("audience")
    row = sizes.loc["best_now_quiet"]
    assert row["customers"] == len(quiet) > 5
    assert row["share_of_customers"] == pytest.approx(len(quiet) / len(people))
    assert row["spend_per_customer"] == pytest.approx(quiet["spend"].mean())


def test_unknown_audience_names_those_there_are(airline: Workbook) -> None:
    with pytest.raises(ParamsError, match="audience is 'nope'; allowed: best_now_quiet"):
        audiences.load(airline, "nope")


def test_what_a_report_shows_names_nobody(airline: Workbook, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = {"field": "email", "op": "in", "value": ["ines.dubois@example.org"]}
    named = validate(Audience, {"title": "x", "rule": rule}, "x.yml")
    monkeypatch.setattr("clv_helpers.audiences.audience_files.load", lambda *_: named)
    shown = [audiences.sentences(airline), audiences.rules(airline)]
    text = "".join(each.bundle["text/html"] for each in shown)
    assert "ines.dubois" not in text
    assert "email is one of (not shown)" in text


def test_an_airline_reads_of_members(airline: Workbook) -> None:
    outputs = [audiences.sizes(airline), audiences.sentences(airline), *views.summary(airline, "best_now_quiet")]
    text = " ".join(output.bundle["text/html"] for output in outputs)
    assert (
        "Members whose decile over their lifetime is at most 3 and whose days since flight is between 90 and 365."
        in text
    )
    assert "Share of all members" in text
    assert "spent per member" in text
    assert "Mean days since flight" in text
    own = ["Best customers, now quiet", "most Gold customers"]  # titles and descriptions of the files
    assert "ustomer" not in re.sub("|".join(own), "", text)
    assert "purchase" not in text
