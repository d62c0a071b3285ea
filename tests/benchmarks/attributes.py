"""How long fifty attributes of one dataset take beside the query that a person would write for the same figures.

    .venv/bin/python tests/benchmarks/attributes.py [EVENTS CUSTOMERS]

Both are one pass of DuckDB over made-up visits, timed in turn; the least of three each.
"""

from __future__ import annotations

import datetime as dt
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from clv_helpers import models
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import to_sql

PARAMS = """\
title: Visits
sources:
  purchases: {path: none.csv}
  web:
    is: events
    path: none.csv
    columns:
      {customer_id: c, occurred_at: o, page: {from: p, type: text}, seconds: {from: s, type: decimal},
       clicks: {from: k, type: integer}}
attributes:
"""
WINDOWS = {"": "", "_7": "7 days", "_30": "30 days", "_90": "90 days", "_365": "365 days"}
KINDS = {
    "visits": ("count: web", "COUNT({one})"),
    "seconds": ("sum: web.seconds", "SUM({seconds})"),
    "clicks": ("sum: web.clicks", "SUM({clicks})"),
    "mean": ("average: web.seconds", "AVG({seconds})"),
    "most": ("max: web.seconds", "MAX({seconds})"),
    "least": ("min: web.clicks", "MIN({clicks})"),
    "carts": ("count: web, where: [{field: page, op: equals, value: p3}]", "COUNT({cart})"),
    "since": ("days since: web", "MAX({occurred_at})"),
    "last": ("last: web.page", "ARG_MAX(page, {known})"),
    "share": (
        "share of: web, where: [{field: page, op: equals, value: p3}]", "COUNT({cart}) / COUNT({one})",
    ),
}  # fmt: skip
MADE = """
    CREATE TABLE lake.web AS
    SELECT 'c' || CAST(FLOOR(random() * $customers) AS INT) AS customer_id,
        TIMESTAMP '2024-01-01' + INTERVAL 1 SECOND * CAST(random() * 63000000 AS INT) AS occurred_at,
        'p' || CAST(FLOOR(random() * 9) AS INT) AS page,
        CAST(random() * 500 AS DECIMAL(18, 4)) AS seconds, CAST(random() * 9 AS BIGINT) AS clicks, 1 AS _batch_id
    FROM range($events)
"""


def by_hand() -> str:
    """The query that a person would write, ties of moments left to chance."""
    measures = []
    for kind, (_, sql) in KINDS.items():
        for suffix, length in WINDOWS.items():
            test = f"occurred_at >= DATE '2026-01-01' - INTERVAL {length}" if length else "TRUE"
            values = {name: f"CASE WHEN {test} THEN {name} END" for name in ("seconds", "clicks", "occurred_at")}
            values["one"] = f"CASE WHEN {test} THEN 1 END"
            values["cart"] = f"CASE WHEN page = 'p3' AND {test} THEN 1 END"
            values["known"] = values["occurred_at"]
            measures.append(f"{sql.format(**values)} AS {kind}{suffix}")
    where = "occurred_at < DATE '2026-01-01'"
    return f"SELECT customer_id, {', '.join(measures)} FROM lake.web WHERE {where} GROUP BY customer_id"


def ours(folder: Path) -> str:
    """The query that the params make."""
    lines = [
        f"  {kind}{suffix}: {{{of}{f', in_last: {length}' if length else ''}}}\n"
        for kind, (of, _) in KINDS.items()
        for suffix, length in WINDOWS.items()
    ]
    (folder / "visits.yml").write_text(PARAMS + "".join(lines), encoding="utf-8")
    workbook = Workbook.open(folder / "visits.yml")
    model = next(each for each in models.all_tables(workbook, "profile") if each.name == "profile.web_attribute")
    return to_sql(model.bound({"as_of": dt.date(2026, 1, 1)}))


def seconds(connection: duckdb.DuckDBPyConnection, query: str) -> float:
    """How long a query takes whose rows become a table."""
    started = time.perf_counter()
    connection.execute(f"CREATE OR REPLACE TEMPORARY TABLE made AS {query}")
    return time.perf_counter() - started


def main(events: int = 10_000_000, customers: int = 500_000) -> None:
    """Print the least of three times each, and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        query = ours(Path(folder))
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA lake")
    connection.execute(MADE, {"events": events, "customers": customers})
    times = [(seconds(connection, query), seconds(connection, by_hand())) for _ in range(3)]
    made, hand = (min(each) for each in zip(*times, strict=True))
    print(f"{events:,} events, {customers:,} customers, 50 attributes: {made:.2f} s; by hand {hand:.2f} s; "
          f"{made / hand:.2f} times as long")  # fmt: skip


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
