"""A change reads of a lake what its days and keys can be among, not all of it."""

from __future__ import annotations

from pathlib import Path

from query_plans import operators

from clv_helpers.engines.dialect import expression, parse, table, to_sql
from clv_helpers.engines.engine import Engine
from clv_helpers.engines.session import Session
from clv_helpers.ingest.repeats import KEYED, REPEATS
from clv_helpers.models.changed_parts import restricted, semi_join
from clv_helpers.models.table_file import generated_table

EVENTS = """
    SELECT printf('E%07d', n) AS event_id, 'C' || CAST(n % 1000 AS VARCHAR) AS customer_id,
        TIMESTAMP '2024-01-01' + TO_SECONDS(n * 60) AS occurred_at, 1 AS amount
    FROM range(600000) AS r(n)
"""
BY_DAY = """
    WITH counted AS (
        SELECT customer_id, CAST(occurred_at AS DATE) AS day, amount FROM lake.purchases
    )
    SELECT customer_id, day, SUM(amount) AS amount FROM counted GROUP BY customer_id, day
"""
STAGED = "SELECT 7 AS _row, 'E0599990' AS event_id, NULL AS _reason, NULL AS _left_out"


def lake(folder: Path) -> Engine:
    engine = Engine(folder / "lake.duckdb", folder / "published.duckdb")
    with engine.write() as session:
        session.create_table("lake.purchases", parse(EVENTS))
    return engine


def answered(session: Session, query: str) -> tuple[list[tuple], int]:
    """What a query gives, and how many rows it read of the table of events."""
    steps = operators(session.connection, query)
    read = sum(step["operator_rows_scanned"] for step in steps if "purchases" in str(step.get("extra_info")))
    return session.connection.execute(query).fetchall(), read


def test_a_touched_day_is_read_and_not_the_years_before(tmp_path: Path) -> None:
    model = generated_table(
        "derived.by_day", "a day", "customer_id, day", parse(BY_DAY), "by customer_id, day through counted"
    )
    with lake(tmp_path).write() as session:
        session.create_temporary("touched", "SELECT 'C7' AS customer_id, DATE '2025-02-03' AS day")
        rows, read = answered(session, restricted(session, model, model.query))
        whole = f"SELECT * FROM ({BY_DAY}) WHERE customer_id = 'C7' AND day = DATE '2025-02-03'"
        assert rows == session.connection.execute(whole).fetchall() and len(rows) == 1
        assert 0 < read < 200_000


def test_a_new_key_is_looked_for_among_those_near_it(tmp_path: Path) -> None:
    with lake(tmp_path).write() as session:
        session.create_temporary("staged", STAGED)
        query = to_sql(expression(REPEATS, keyed=expression(KEYED), lake_table=table("lake.purchases")))
        rows, read = answered(session, query)
        assert rows == [(7,)]
        assert 0 < read < 200_000


def test_a_customer_is_read_and_not_the_others(tmp_path: Path) -> None:
    with lake(tmp_path).write() as session:
        purchases = parse("SELECT * FROM lake.purchases ORDER BY HASH(event_id)")
        session.create_table("derived.purchases", purchases, near="customer_id")
        session.create_temporary("touched", "SELECT 'C7' AS customer_id")
        _, read = answered(session, to_sql(semi_join(table("derived.purchases"), ["customer_id"])))
        assert 0 < read < 200_000
