"""How long a live estimate takes beside the query that a person would write for the same figures.

    .venv/bin/python tests/benchmarks/audiences.py [CUSTOMERS EVENTS]

Both give the count, the funnel, the sums of value and spend, and the decile mix, on made-up customers and events.
"""
# ruff: noqa: E501 (SQL on one line each)

from __future__ import annotations

import datetime as dt
import statistics
import sys
import time

import duckdb

from clv_helpers.audiences.catalog import event_tables, read_catalog
from clv_helpers.audiences.compile import Context
from clv_helpers.audiences.estimate import estimate
from clv_helpers.audiences.rule import Audience, parse_part
from clv_helpers.conditions.when import Clock
from clv_helpers.engines.session import Session

BEST = {"field": "decile_lifetime", "op": "at most", "value": 3}
QUIET = {"field": "days_since_purchase", "op": "between", "value": [90, 365]}
ELSEWHERE = {"field": "region", "op": "not equals", "value": "R4"}
OFTEN = {"field": "frequency", "op": "at least", "value": 5}
LATELY = {"event": "purchases", "when": {"in_last": "90 days"}}
OPENED = {
    "event": "email_events",
    "where": [{"field": "event_type", "op": "equals", "value": "opened"}],
    "when": {"in_last": "90 days"},
}
WORTH = "SUM(value), SUM(spend), COUNT(*)"
RULES = {
    "three attributes": (
        {"all": [BEST, QUIET, ELSEWHERE]},
        "SELECT decile_lifetime, SUM(value) FILTER (a AND b), SUM(spend) FILTER (a AND b), COUNT(*), COUNT(*) FILTER (a), COUNT(*) FILTER (a AND b) FROM (SELECT *, days_since_purchase BETWEEN 90 AND 365 AS a, region <> 'R4' AS b FROM profile.customer WHERE decile_lifetime <= 3) GROUP BY 1",
    ),
    "nested attributes": (
        {"any": [{"all": [BEST, QUIET]}, {"all": [OFTEN, {"not": ELSEWHERE}]}]},
        f"SELECT decile_lifetime, {WORTH} FROM profile.customer WHERE (decile_lifetime <= 3 AND days_since_purchase BETWEEN 90 AND 365) OR (frequency >= 5 AND NOT coalesce(region <> 'R4', false)) GROUP BY 1",
    ),
    "attribute and event": (
        {"all": [BEST, LATELY]},
        "SELECT decile_lifetime, SUM(value) FILTER (a), SUM(spend) FILTER (a), COUNT(*), COUNT(*) FILTER (a) FROM (SELECT *, customer_id IN (SELECT customer_id FROM lake.purchases WHERE occurred_at >= '2025-10-03') AS a FROM profile.customer WHERE decile_lifetime <= 3) GROUP BY 1",
    ),
    "no event in 90 days": (
        {"all": [BEST, {**LATELY, "op": "equals", "value": 0}]},
        "SELECT decile_lifetime, SUM(value) FILTER (a), SUM(spend) FILTER (a), COUNT(*), COUNT(*) FILTER (a) FROM (SELECT *, customer_id NOT IN (SELECT customer_id FROM lake.purchases WHERE occurred_at >= '2025-10-03') AS a FROM profile.customer WHERE decile_lifetime <= 3) GROUP BY 1",
    ),
    "two events in 90 days": (
        {"all": [{**LATELY, "op": "at least", "value": 2}]},
        f"SELECT decile_lifetime, {WORTH} FROM profile.customer WHERE customer_id IN (SELECT customer_id FROM lake.purchases WHERE occurred_at >= '2025-10-03' GROUP BY 1 HAVING COUNT(*) >= 2) GROUP BY 1",
    ),
    "decile by map": (
        {"map": "decile", "lookback_months": 12, "op": "at most", "value": 3},
        f"SELECT decile_lifetime, {WORTH} FROM profile.customer WHERE customer_id IN (SELECT customer_id FROM derived.customer_decile WHERE category = 'ALL' AND lookback_months = 12 AND decile <= 3) GROUP BY 1",
    ),
    "opened, not booked": (
        {"sequence": [OPENED, {"event": "purchases", "absent": True, "within": "14 days"}]},
        f"SELECT decile_lifetime, {WORTH} FROM profile.customer WHERE customer_id IN (SELECT o.customer_id FROM lake.email_events o LEFT JOIN lake.purchases b ON b.customer_id = o.customer_id AND b.occurred_at > o.occurred_at AND b.occurred_at <= o.occurred_at + INTERVAL 14 DAY AND b.occurred_at >= '2025-10-03' WHERE o.event_type = 'opened' AND o.occurred_at >= '2025-10-03' AND o.occurred_at <= TIMESTAMP '2026-01-01' - INTERVAL 14 DAY AND b.customer_id IS NULL) GROUP BY 1",
    ),
}


def store(customers: int, events: int) -> Session:
    """Customers with ten attributes' worth of spread, and events evenly over three years."""
    session = Session(duckdb.connect(config={"threads": 2}))
    for schema in ("profile", "derived", "lake"):
        session.run(f"CREATE SCHEMA {schema}")
    execute = session.connection.execute
    execute(
        f"CREATE TABLE profile.customer AS SELECT 'M' || lpad(i::VARCHAR, 9, '0') AS customer_id, (hash(i) % 10 + 1)::BIGINT AS decile_lifetime, (hash(i + 7) % 900)::BIGINT AS days_since_purchase, 'R' || (hash(i + 3) % 5) AS region, (hash(i + 5) % 12)::BIGINT AS frequency, (hash(i) % 9000)::DECIMAL(18,4) AS spend, (hash(i + 1) % 90000)::DECIMAL(18,4) AS value FROM range({customers}) t(i)"
    )
    for name, kinds in (("purchases", "['flight','card']"), ("email_events", "['sent','opened','clicked']")):
        execute(
            f"CREATE TABLE lake.{name} AS SELECT 'M' || lpad((hash(i * 31) % {customers})::VARCHAR, 9, '0') AS customer_id, TIMESTAMP '2023-01-01' + to_seconds(i::BIGINT * 94694400 // {events}) AS occurred_at, {kinds}[(1 + hash(i) % len({kinds}))::BIGINT] AS event_type, 10.0::DECIMAL(18,4) AS amount FROM range({events}) t(i)"
        )
    execute(
        "CREATE TABLE derived.customer_decile AS SELECT customer_id, 'ALL' AS category, 12::BIGINT AS lookback_months, decile_lifetime AS decile FROM profile.customer"
    )
    return session


def milliseconds(*works, times: int = 9) -> list[tuple[float, float]]:
    """The median wall and processor time of each piece of work, run in turn, so that a busy machine meets all of them."""
    taken: list[list[tuple[float, float]]] = [[] for _ in works]
    for _ in range(times):
        for work, list_ in zip(works, taken, strict=True):
            wall, processor = time.perf_counter(), time.process_time()
            work()
            list_.append((1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - processor)))
    return [tuple(map(statistics.median, zip(*each, strict=True))) for each in taken]


def main(customers: int = 1_000_000, events: int = 10_000_000) -> None:
    session = store(customers, events)
    context = Context(read_catalog(session, event_tables()), Clock(dt.datetime(2026, 1, 1)), event_tables())
    print(f"{customers:,} customers, {events:,} events of each dataset, 2 threads; medians of 9 in ms")
    print("processor: time of both cores together, half of it is what an idle machine with two cores would take")
    print(f"{'rule':<24} {'estimate':>9} {'by hand':>9} {'ratio':>6} {'processor':>10} {'by hand':>9} {'ratio':>6}")
    all_took = []
    for name, (raw, by_hand) in RULES.items():
        rule = Audience(title=name, rule=parse_part(raw))
        found = estimate(session, rule, context)
        counted = sum(row[-1] for row in session.connection.execute(by_hand).fetchall())
        assert counted == found.count, (name, counted, found.count)
        (took, busy), (bare, bare_busy) = milliseconds(
            lambda rule=rule: estimate(session, rule, context),
            lambda by_hand=by_hand: session.connection.execute(by_hand).fetchall(),
        )
        all_took.append(took)
        figures = f"{busy:>10.0f} {bare_busy:>9.0f} {busy / bare_busy:>6.2f}"
        print(f"{name:<24} {took:>9.0f} {bare:>9.0f} {took / bare:>6.2f} {figures}")
    print(f"median of the rules: {statistics.median(all_took):.0f} ms")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3]))
