"""The query finds exactly whom an independent evaluator in plain Python finds; values never become SQL."""

from __future__ import annotations

import collections
from dataclasses import replace

import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from clv_helpers.audiences.catalog import event_tables, read_catalog
from clv_helpers.audiences.checks import problems
from clv_helpers.audiences.compile import Context, to_customers, to_members, to_test
from clv_helpers.audiences.rule import Audience, branches
from clv_helpers.conditions.when import Clock
from clv_helpers.config.validation import validate
from clv_helpers.engines.dialect import to_sql
from reference import World
from strategies import NOW, RULES, ZONES, compositions, small_store

SESSION, ROWS = small_store()
CATALOG = read_catalog(SESSION, event_tables())
RULES_AT_ONCE = 20
SEEN: collections.Counter = collections.Counter()


def context(zone: str = "UTC") -> Context:
    return Context(CATALOG, Clock(NOW, zone), event_tables())


def audience(rule: dict, zone: str = "UTC") -> Audience:
    return validate(Audience, {"title": "x", "time_zone": zone, "rule": rule}, "x.yml")


def test_sql_and_plain_python_agree() -> None:
    compare()
    assert sum(SEEN.values()) >= 2_000
    assert SEEN["some"] >= 1_000  # of the people, neither all nor none: the rules were not trivial


@settings(max_examples=101)
@given(st.lists(RULES, min_size=RULES_AT_ONCE, max_size=RULES_AT_ONCE), st.sampled_from(ZONES))
def compare(raws: list[dict], zone: str) -> None:
    """101 examples of 20 rules: 2,020 random trees, each as a WHERE's test, and every third also under a NOT."""
    audiences = [audience(raw, zone) for raw in raws]
    rules = [one.rule for one in audiences]
    assert [problems(one, CATALOG) for one in audiences] == [[]] * len(raws)
    tests = []
    for index, rule in enumerate(rules):
        met = to_sql(to_test(rule, context(zone)))
        tests.append(f"CASE WHEN {met} THEN TRUE ELSE FALSE END AS met{index}")
        if index % 3 == 0:
            denied = to_sql(exp.not_(to_test(rule, context(zone), exact=True), copy=False))
            tests.append(f"CASE WHEN {denied} THEN FALSE ELSE TRUE END AS not_denied{index}")
    # as text: a tree of so many rules takes longer to copy than to run
    query = SESSION.connection.execute(f"SELECT customer_id, {', '.join(tests)} FROM profile.customer AS p")
    names = [column[0] for column in query.description]
    found = [dict(zip(names, row, strict=True)) for row in query.fetchall()]
    world = World(**ROWS, now=NOW, zone=zone)
    for index, (raw, rule) in enumerate(zip(raws, rules, strict=True)):
        expected = world.customers_of(rule)
        for side in ("met", "not_denied")[: 2 - (index % 3 > 0)]:
            assert {row["customer_id"] for row in found if row[f"{side}{index}"]} == expected, (side, raw)
        SEEN["some" if 0 < len(expected) < len(ROWS["people"]) else "all or none"] += 1


COMPOSED: collections.Counter = collections.Counter()


@pytest.mark.slow
def test_composed_audiences_are_those_of_plain_python() -> None:
    compare_composed()
    assert sum(COMPOSED.values()) >= 2_000
    assert COMPOSED["some"] >= 1_000


@settings(max_examples=101)
@given(st.lists(compositions(), min_size=RULES_AT_ONCE, max_size=RULES_AT_ONCE), st.sampled_from(ZONES))
def compare_composed(raws: list[dict], zone: str) -> None:
    """101 examples of 20 audiences, each with its branches, in one query."""
    composed = {f"x{place}": validate(Audience, {"time_zone": zone, **raw}, "x") for place, raw in enumerate(raws)}
    tests = []
    for name, one in composed.items():
        assert problems(one, CATALOG) == []
        where = replace(context(zone), name=name)
        tests.append(f"p.customer_id IN ({to_sql(to_members(one, where))}) AS {name}")
        for index, branch in enumerate(branches(name, one).values()):
            tests.append(f"{to_sql(to_test(branch.apart, where, exact=True))} AS {name}_{index}")
    query = SESSION.connection.execute(f"SELECT customer_id, {', '.join(tests)} FROM profile.customer AS p")
    names = [column[0] for column in query.description]
    found = [dict(zip(names, row, strict=True)) for row in query.fetchall()]
    world = World(**ROWS, now=NOW, zone=zone)
    for (name, one), raw in zip(composed.items(), raws, strict=True):
        expected = world.members_of(one, name)
        assert {row["customer_id"] for row in found if row[name]} == expected, raw
        COMPOSED["some" if 0 < len(expected) < len(ROWS["people"]) else "all or none"] += 1
        listed = one.priority or list(one.split.into if one.split else ())
        for row in found:
            if row[name] and listed:
                inside = [branch for index, branch in enumerate(listed) if row[f"{name}_{index}"]]
                assert inside == [b for b in [world.branch_of(one, name, row["customer_id"])] if b], raw


def test_shares_of_a_split_lie_within_binomial_bounds_and_stay() -> None:
    """On 10,000 customers, by four standard deviations; nobody changes the branch when half of them come later."""
    split = {"into": {"a": "40%", "b": "40%", "c": "12.5%", "d": "7.5%"}}
    one = validate(Audience, {"title": "x", "rule": {"field": "t", "op": "exists"}, "split": split}, "x.yml")
    tests = [
        f"{to_sql(to_test(each.apart, context()))} AS {letter}"
        for letter, each in zip("abcd", branches("offers", one).values(), strict=True)
    ]
    rows = f"SELECT {', '.join(tests)} FROM (SELECT 'C' || range AS customer_id FROM range($$)) AS p"
    inside = {count: SESSION.connection.execute(rows.replace("$$", str(count))).fetchall() for count in (5_000, 10_000)}
    assert inside[10_000][:5_000] == inside[5_000]
    assert {sum(row) for row in inside[10_000]} == {1}  # each in exactly one
    for place, share in enumerate((0.4, 0.4, 0.125, 0.075)):
        drawn = sum(row[place] for row in inside[10_000])
        assert abs(drawn - 10_000 * share) < 4 * (10_000 * share * (1 - share)) ** 0.5


@pytest.mark.parametrize("value", ["x' OR 1=1 --", '"; DROP TABLE profile.customer; --', "$name", "\\'", "%%", "ä\n\t"])
def test_values_are_literals(value: str) -> None:
    rule = {"any": [{"field": "t", "op": op, "value": value} for op in ("equals", "contains")]}
    rule["any"] += [{"audience": value}, {"map": "decile", "category": value, "lookback_months": 0, "op": "exists"}]
    query = to_customers(audience(rule).rule, context())
    assert SESSION.rows(query) == []
    for dialect in ("duckdb", "spark"):
        read_back = sqlglot.parse_one(to_sql(query, dialect), dialect=dialect)
        assert value in {node.this for node in read_back.find_all(exp.Literal)}
        assert len(list(read_back.find_all(exp.Select))) == 3


def test_a_hundred_thousand_values() -> None:
    rule = {"field": "n", "op": "in", "value": list(range(2, 100_002))}
    expected = {p["customer_id"] for p in ROWS["people"] if p["n"] is not None and p["n"] >= 2}
    found = SESSION.rows(to_customers(audience(rule).rule, context()))
    assert {row["customer_id"] for row in found} == expected != set()


def test_the_same_rule_is_one_query_in_other_dialects() -> None:
    rule = {
        "all": [
            {"field": "t", "op": "starts with", "value": "a"},
            {"event": "purchases", "when": {"in_last": "30 days"}},
        ]
    }
    query = to_customers(audience(rule).rule, context())
    assert "STARTSWITH(`p`.`t`, 'a')" in to_sql(query, "spark")
    assert to_sql(query, "duckdb").count("SELECT") == 2


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (
            {"field": "shoe", "op": "exists"},
            "rule.field is 'shoe', not in the profile; allowed: customer_id, n, m, d",
        ),
        (
            {"field": "n", "op": "contains", "value": "1"},
            "rule.op is 'contains' for n, of type integer; allowed: equals",
        ),
        ({"field": "n", "op": "equals", "value": "one"}, "rule.value is 'one' for n; allowed: a value of type integer"),
        ({"field": "n", "op": "equals", "value": True}, "rule.value is True for n; allowed: a value of type integer"),
        ({"field": "t", "op": "in", "value": ["a", 1]}, "rule.value is 1 for t; allowed: a value of type text"),
        ({"field": "t", "when": {"is": "today"}}, "rule.when is asked of t, of type text; allowed: a date or a time"),
        ({"field": "day", "op": "equals", "value": "2026-01-01"}, "allowed: exists, missing, or when"),
        (
            {"all": [{"event": "purchases", "where": [{"field": "x", "op": "exists"}]}]},
            "rule.all[0].where.all[0].field is 'x', not in purchases",
        ),
        (
            {"event": "purchases", "aggregate": "sum", "of": "kind", "op": "at least", "value": 1},
            "rule.of is 'kind'; allowed: amount",
        ),
        ({"event": "visits"}, "rule.event is 'visits'; allowed: purchases, email_events"),
        ({"field": "n", "op": "less than", "than": "t"}, "rule.than is 't' for n; allowed: m, d"),
        ({"field": "t", "op": "less than", "than": "u"}, "type text; allowed: equals, not equals"),
        ({"field": "n", "op": "equals", "than": "m", "plus": "2 days"}, "'2 days' for n; allowed: a number"),
        ({"field": "day", "op": "equals", "than": "next_day", "plus": 2}, "2 for day; allowed: days, such as 30 days"),
        ({"field": "t", "op": "equals", "than": "u", "plus": 1}, "rule.plus is 1 for t; allowed: nothing"),
    ],
)
def test_what_the_columns_do_not_allow_is_named_with_its_place(rule: dict, says: str) -> None:
    assert says in str(problems(audience(rule), CATALOG)[0])


@settings(max_examples=60)
@given(RULES, st.sampled_from(ZONES))
def test_every_rule_has_a_form_in_other_dialects(raw: dict, zone: str) -> None:
    query = to_customers(audience(raw, zone).rule, context(zone))
    for dialect in ("spark", "databricks", "snowflake"):
        text = query.sql(dialect, unsupported_level=sqlglot.ErrorLevel.RAISE)
        sqlglot.parse_one(text, dialect=dialect)
