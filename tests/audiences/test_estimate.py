"""Counts, shares and funnels are exact; an estimate says so, and its interval covers the truth."""

from __future__ import annotations

import pytest

from clv_helpers import audiences
from clv_helpers.audiences import estimate as es
from clv_helpers.audiences.catalog import event_tables, read_catalog
from clv_helpers.audiences.compile import Context
from clv_helpers.audiences.rule import parse_part
from clv_helpers.audiences.views import published_context
from clv_helpers.audiences.when import Clock
from clv_helpers.config.workbook import Workbook
from reference import World
from strategies import NOW, small_store


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
    found = es.estimate(session, parse_part({"all": parts}), context)
    assert [step.left for step in found.funnel] == left
    assert [step.removed for step in found.funnel] == [48 - left[0], left[0] - left[1], left[1] - left[2]]
    assert (found.count, found.customers, found.exact) == (left[2], 48, True)


def test_worth_and_deciles_are_those_of_the_customers(airline: Workbook) -> None:
    people = airline.query("profile.customer")
    inside = people[(people["decile_12_months"] <= 3) & (people["region"] != "Nordics")]
    rule = parse_part(
        {
            "all": [
                {"field": "decile_12_months", "op": "at most", "value": 3},
                {"field": "region", "op": "not equals", "value": "Nordics"},
            ]
        }
    )
    with airline.engine.read() as session:
        found = es.estimate(session, rule, published_context(session))
        overlap = es.overlaps(session, rule, published_context(session))
        sample = es.sample_customers(session, rule, published_context(session))
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


def test_the_interval_covers_the_truth(airline: Workbook, monkeypatch: pytest.MonkeyPatch) -> None:
    """200 samples of other customers each: 95 % are meant to cover; 3 standard errors below would be 90.4 %."""
    rule = parse_part({"field": "decile_12_months", "op": "at most", "value": 3})
    with airline.engine.read() as session:
        context = published_context(session)
        truth = es.estimate(session, rule, context)
        covered, salted = 0, es.hash_sample
        for number in range(200):
            monkeypatch.setattr(es, "hash_sample", lambda share, n=number: salted(share, salt=str(n)))
            found = es.estimate(session, rule, context, exact_up_to=200)
            assert not found.exact
            assert found.customers == truth.customers
            covered += found.low <= truth.count <= found.high
    assert covered >= 181


def test_the_sample_is_the_same_each_time(airline: Workbook) -> None:
    with airline.engine.read() as session:
        drawn = [session.rows(es.hash_sample(0.3)) for _ in range(2)]
        everyone = session.count(es.hash_sample(1.0).subquery("s"))
    assert drawn[0] == drawn[1]
    assert everyone == 600


def test_interval_is_wilsons() -> None:
    """Agresti & Coull 1998, table: 0 of 10 gives 0 to 0.278, 5 of 10 gives 0.237 to 0.763."""
    assert es.interval(0, 10) == pytest.approx((0, 0.2775), abs=5e-4)
    assert es.interval(5, 10) == pytest.approx((0.2366, 0.7634), abs=5e-4)
    assert es.interval(0, 0) == (0, 1)


def test_what_a_column_holds(airline: Workbook) -> None:
    people = airline.query("profile.customer")
    with airline.engine.read() as session:
        region = es.describe(session, "profile.customer", "region")
        email = es.describe(session, "profile.customer", "email")
    assert region["filled"] == people["region"].notna().mean()
    most = people["region"].value_counts()
    assert region["top"][0] == {"value": most.index[0], "how_many": most.iloc[0]}
    assert email["top"] == []


def test_masked() -> None:
    assert [es.mask(text) for text in ("M0000042", "M000000000042", "42")] == ["•••••42", "•••••42", "•••••"]


def test_count_and_show_by_name(airline: Workbook) -> None:
    found = audiences.count(airline, "best_now_quiet")
    assert found.count == airline.query("audiences.fact_audience", audience="best_now_quiet")["customers"].iloc[0]
    assert '"p"."decile_lifetime" <= 3' in audiences.printed(airline, "best_now_quiet", "sql")
