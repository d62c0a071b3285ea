"""Counts, shares and funnels are exact."""

from __future__ import annotations

import pytest

from clv_helpers import audiences
from clv_helpers.audiences import estimate as es
from clv_helpers.audiences.catalog import event_tables, read_catalog
from clv_helpers.audiences.compile import Context
from clv_helpers.audiences.rule import Audience, parse_part
from clv_helpers.audiences.views import published_context
from clv_helpers.conditions.when import Clock
from clv_helpers.config.validation import validate
from clv_helpers.config.workbook import Workbook
from reference import World
from strategies import NOW, small_store


def audience(rule: dict) -> Audience:
    return validate(Audience, {"title": "x", "rule": rule}, "x.yml")


@pytest.fixture(scope="module")
def store():
    return small_store()


def test_funnel_says_what_each_condition_removes(store) -> None:
    session, rows = store
    parts = [
        {"field": "n", "op": "at least", "value": 0},
        {"not": {"field": "t", "op": "equals", "value": "a"}},
        {"event": "purchases", "op": "at least", "value": 2},
    ]
    world = World(**rows, now=NOW)
    left = [len(world.customers_of(parse_part({"all": parts[: index + 1]}))) for index in range(3)]
    context = Context(read_catalog(session, event_tables()), Clock(NOW), event_tables())
    found = es.estimate(session, audience({"all": parts}), context)
    assert [step.left for step in found.funnel] == left
    assert [step.removed for step in found.funnel] == [48 - left[0], left[0] - left[1], left[1] - left[2]]
    assert (found.count, found.customers) == (left[2], 48)


def test_worth_and_deciles_are_those_of_the_customers(airline: Workbook) -> None:
    people = airline.query("profile.customer")
    inside = people[(people["decile_12_months"] <= 3) & (people["region"] != "Nordics")]
    asked = audience(
        {
            "all": [
                {"field": "decile_12_months", "op": "at most", "value": 3},
                {"field": "region", "op": "not equals", "value": "Nordics"},
            ]
        }
    )
    with airline.engine.read() as session:
        found = es.estimate(session, asked, published_context(session, airline.params))
        overlap = es.overlaps(session, asked, published_context(session, airline.params))
        sample = es.sample_customers(session, asked, published_context(session, airline.params))
    assert found.count == len(inside) > 0
    assert found.mean_spend == pytest.approx(inside["spend"].mean())
    assert found.mean_value == pytest.approx(inside["value"].mean())
    assert found.deciles == {n: int((inside["decile_lifetime"] == n).sum()) for n in range(1, 11)}
    quiet = airline.query("audiences.membership", audience="best_now_quiet")["customer_id"]
    assert overlap.get("best_now_quiet", 0) == inside["customer_id"].isin(quiet).sum()
    assert len(sample) == 10
    text = str(sample)
    for person in inside.itertuples():
        assert person.customer_id not in text
        assert str(person.email) not in text
        assert str(person.last_name) not in text


def test_masked() -> None:
    assert [es.mask(text) for text in ("M0000042", "M000000000042", "42")] == ["•••••42", "•••••42", "•••••"]


def test_count_and_show_by_name(airline: Workbook) -> None:
    found = audiences.count(airline, "best_now_quiet")
    assert found.count == airline.query("audiences.fact_audience", audience="best_now_quiet")["customers"].iloc[0]
    assert '"p"."decile_lifetime" <= 3' in audiences.printed(airline, "best_now_quiet", "sql")
