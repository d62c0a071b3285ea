"""Audiences: the rule in SQL finds whom the rule in plain Python finds, missing values included."""

from __future__ import annotations

import duckdb
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clv_helpers import audiences
from clv_helpers.audiences import Audience, Condition, Rule
from clv_helpers.engines.dialect import to_sql
from clv_helpers.validation import ParamsError, validate
from clv_helpers.workbook import Workbook

PEOPLE = [
    {"id": index, "n": n, "t": t}
    for index, (n, t) in enumerate([(n, t) for n in (None, 0, 1, 2, 5) for t in (None, "", "a", "b'; --")])
]
NUMBERS = st.integers(-1, 6)
TEXTS = st.sampled_from(["", "a", "b'; --", "c"])


def meets(person: dict, part: Condition | Rule) -> bool:
    """The meaning of a rule, told again in plain Python."""
    if isinstance(part, Rule):
        if part.not_ is not None:
            return not meets(person, part.not_)
        return (all if part.all else any)(meets(person, p) for p in part.all or part.any)
    have, value = person[part.field], part.value
    if part.op in ("exists", "missing"):
        return (have is not None) == (part.op == "exists")
    if have is None:
        return False
    return {
        "equals": lambda: have == value,
        "not equals": lambda: have != value,
        "at most": lambda: have <= value,
        "at least": lambda: have >= value,
        "less than": lambda: have < value,
        "more than": lambda: have > value,
        "between": lambda: value[0] <= have <= value[1],
        "in": lambda: have in value,
        "not in": lambda: have not in value,
    }[part.op]()


@st.composite
def conditions(draw: st.DrawFn) -> dict:
    field, values = draw(st.sampled_from([("n", NUMBERS), ("t", TEXTS)]))
    op = draw(st.sampled_from([*audiences.COMPARISONS, "between", "in", "not in", "exists", "missing"]))
    if op in ("exists", "missing"):
        return {"field": field, "op": op}
    if op == "between":
        return {"field": field, "op": op, "value": [draw(values), draw(values)]}
    if op in ("in", "not in"):
        return {"field": field, "op": op, "value": draw(st.lists(values, min_size=1, max_size=3))}
    return {"field": field, "op": op, "value": draw(values)}


def nested(children: st.SearchStrategy) -> st.SearchStrategy:
    several = st.lists(children, min_size=1, max_size=3)
    return st.one_of(
        st.fixed_dictionaries({"all": several}),
        st.fixed_dictionaries({"any": several}),
        st.fixed_dictionaries({"not": children}),
    )


RULES = nested(st.recursive(conditions(), nested, max_leaves=6))


@given(RULES)
def test_sql_and_plain_python_agree(raw: dict) -> None:
    rule = validate(Rule, raw, "rule")
    connection = duckdb.connect()
    connection.register("people", pd.DataFrame(PEOPLE).astype({"n": "Int64", "t": object}))
    rows = connection.execute(f"SELECT id FROM people WHERE {to_sql(rule.to_expression())}").fetchall()
    assert {row[0] for row in rows} == {p["id"] for p in PEOPLE if meets(p, rule)}


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"all": []}, "rule.all is []; allowed: "),
        ({}, "exactly one of them"),
        ({"all": [{"field": "n", "op": "at most"}]}, "rule.all[0].value is None; allowed: one value"),
        (
            {"all": [{"field": "n", "op": "about", "value": 1}]},
            "rule.all[0].op is 'about'; allowed: 'equals'",
        ),
        ({"all": [{"field": "n", "op": "between", "value": 1}]}, "allowed: two values"),
        (
            {"any": [{"not": {"field": "n", "op": "in", "value": []}}]},
            "allowed: a list of at least one value",
        ),
        (
            {"all": [{"every": []}]},
            "rule.all[0].every is not a key; allowed: all, any, field, not, op, value",
        ),
        ({"all": [{"feild": "n"}]}, "rule.all[0].feild is not a key; allowed: did you mean field?"),
    ],
)
def test_wrong_rule_is_named_with_its_place(rule: dict, says: str) -> None:
    with pytest.raises(ParamsError) as refused:
        validate(Audience, {"title": "x", "rule": rule}, "audiences/x.yml")
    assert says in str(refused.value)


def test_field_that_the_profile_lacks(airline: Workbook, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Audience(title="x", rule=Rule(all=[Condition(field="shoe_size", op="exists")]))
    monkeypatch.setattr(audiences, "load", lambda *_: wrong)
    with pytest.raises(ParamsError, match="field 'shoe_size' is not in the profile; allowed: membership_number"):
        audiences.to_query(airline, "x", ["membership_number"])


def test_sizes_are_exact(airline: Workbook) -> None:
    people = airline.query("profile.member")
    quiet = people[(people["decile_lifetime"] <= 3) & people["days_since_purchase"].between(90, 365)]
    sizes = airline.query("audiences.fact_audience").set_index("audience")
    row = sizes.loc["best_now_quiet"]
    assert row["members"] == len(quiet) > 5
    assert row["share_of_members"] == pytest.approx(len(quiet) / len(people))
    assert row["spend_per_member"] == pytest.approx(quiet["spend"].mean())


def test_unknown_audience_names_those_there_are(airline: Workbook) -> None:
    with pytest.raises(ParamsError, match="audience is 'nope'; allowed: best_now_quiet, one_flight_newcomers"):
        audiences.load(airline, "nope")
