"""Stage 1 at size: `make benchmark` (ROWS=10000000). Ratios within one run; seconds of one machine tell little.

Events: three years, ten events per customer, of which half are a second credit of the same flight that does not count.
Output: what the full build costs against its queries alone, what one per cent more events costs against it, and what
the decile table costs against the best single query that we know how to write for it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from clv_helpers import ingest, models
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import bind, table, to_sql
from clv_helpers.engines.session import Session
from clv_helpers.models.checks import check_key
from clv_helpers.models.table_file import SQL_FOLDER, read_table

SCHEMAS = ("derived", "profile")
PARAMS = """
title: Benchmark
memory: 12GB
sources:
  purchases:
    path: "*.parquet"
    namespace: LoyaltyNumber
    columns:
      {event_id: event_id, transaction_type: transaction_type, customer_id: customer_id, occurred_at: occurred_at,
      category: category, amount: amount, mileage: {from: mileage, type: decimal}}
value: {column: mileage, unit: miles, transaction_types: [STATUS_MILES]}
spend: {column: amount, unit: EUR, transaction_types: [STATUS_MILES]}
category: category
"""
# hash(i) spreads customers and moments without a random generator: the same at each run
EVENTS = """
COPY (
    SELECT
        printf('{prefix}%09d', i) AS event_id,
        printf('M%08d', hash(i) % {customers}) AS customer_id,
        TIMESTAMP '{first}' + to_seconds(CAST(hash(i + 7) % {seconds} AS BIGINT)) AS occurred_at,
        CASE WHEN i % 2 = 0 THEN 'STATUS_MILES' ELSE 'AWARD_MILES' END AS transaction_type,
        ['FLYER', 'FREQUENT', 'SILVER', 'GOLD'][1 + CAST((hash(i) % {customers}) % 4 AS BIGINT)] AS category,
        CAST(300 + hash(i + 13) % 9000 AS BIGINT) AS mileage,
        CAST(30 + hash(i + 17) % 90000 / 100.0 AS DECIMAL(18, 4)) AS amount
    FROM range({begin}, {begin} + {rows}) AS r(i)
) TO '{file}' (FORMAT parquet)
"""
# One per cent more: as it comes day by day; late, spread over three years; and with a month that turns.
MORE = {"next days": ("2025-12-26", 5), "late, all over": ("2023-01-01", 1090), "next month": ("2025-12-31", 11)}

# The best single query that we know: no roll-up by day, DuckDB's own hash, no check of the result.
ONE_QUERY = """
CREATE OR REPLACE TABLE derived.one_query AS
WITH counted AS (
    SELECT
        customer_id, category, CAST(occurred_at AS DATE) AS day,
        mileage AS value, amount AS spend
    FROM {source}
),
in_window AS (
    SELECT c.*, l.lookback_months
    FROM counted AS c JOIN derived.lookback AS l ON c.day >= l.starts_on AND c.day < l.ends_before
),
by_category AS (
    SELECT customer_id, category, lookback_months, SUM(value) AS value, SUM(spend) AS spend, COUNT(*) AS purchases
    FROM in_window GROUP BY ALL
),
summed AS (
    FROM by_category
    UNION ALL
    SELECT customer_id, 'ALL', lookback_months, SUM(value), SUM(spend), SUM(purchases)
    FROM by_category GROUP BY ALL
)
SELECT *, NTILE(10) OVER (PARTITION BY category, lookback_months ORDER BY value DESC, hash(customer_id)) AS decile
FROM summed
"""
SOURCES = {
    "from events": "lake.purchases WHERE transaction_type = 'STATUS_MILES'",
    "from days": "(SELECT customer_id, category, day AS occurred_at, value AS mileage, "
    "spend AS amount FROM derived.customer_day)",
}


def write_events(file: Path, begin: int, rows: int, customers: int, first: str, days: int) -> None:
    """Events numbered from `begin`, of so many customers, on so many days."""
    prefix, seconds = f"{file.stem[:4]}", days * 86_400
    text = EVENTS.format(
        file=file, prefix=prefix, begin=begin, rows=rows, customers=customers, first=first, seconds=seconds
    )
    duckdb.execute(text)


def timed(label: str, work: Callable[[], Any], seconds: dict[str, float]) -> Any:
    started = time.perf_counter()
    answer = work()
    seconds[label] = round(time.perf_counter() - started, 2)
    print(f"{label:<32} {seconds[label]:>8.2f} s", flush=True)
    return answer


def deciles_against_one_query(workbook: Workbook, trials: int = 3) -> dict[str, float]:
    """Seconds of derived.customer_decile over those of one hand-written query: each the best of some trials, in turns.

    From days: the table alone, with its key checked. From events: with the roll-up by day that it stands on.
    """
    best: dict[str, float] = {}

    def trial(label: str, work: Callable[[Session], None]) -> None:
        with workbook.engine.write() as session:
            started = time.perf_counter()
            work(session)
            session.commit()
            best[label] = min(best.get(label, float("inf")), time.perf_counter() - started)

    for _ in range(trials):
        for name in ("customer_day", "customer_decile"):
            trial(name, lambda session, name=name: _build(session, workbook, name))
        for label, source in SOURCES.items():
            trial(label, lambda session, source=source: session.connection.execute(ONE_QUERY.format(source=source)))
    return {
        "from days": best["customer_decile"] / best["from days"],
        "from events": (best["customer_day"] + best["customer_decile"]) / best["from events"],
    }


def bare(workbook: Workbook) -> None:
    """Every table of the full build by its query alone: no checks, no versions, nothing published."""
    with workbook.engine.write() as session:
        bindings = workbook.bindings(session)
        tables = [each for each in models.all_tables(workbook, *SCHEMAS) if each.refresh != "view"]
        for number, each in enumerate(tables):
            query = to_sql(bind(each.query, bindings))
            session.connection.execute(f"CREATE OR REPLACE TABLE derived.bare_{number} AS {query}")
        session.commit()
        for number in range(len(tables)):
            session.connection.execute(f"DROP TABLE derived.bare_{number}")


def _build(session: Session, workbook: Workbook, name: str) -> None:
    each = read_table(SQL_FOLDER / "derived" / f"{name}.sql")
    session.create_table(f"derived.trial_{name}", bind(each.query, workbook.bindings(session)))
    check_key(session, each, table(f"derived.trial_{name}"))


def show(steps: list[dict[str, Any]]) -> None:
    for step in steps:
        if step.seconds >= 0.05 and step.rows is not None:
            print(f"    {step.table:<28} {step.mode:<10} {step.rows:>12,} rows {step.seconds:>7.2f} s")


def main(rows: int) -> None:
    folder = Path(tempfile.mkdtemp())
    os.environ["CLV_OUTPUTS_DIR"] = str(folder / "outputs")
    seconds: dict[str, float] = {}
    try:
        (folder / "w.yml").write_text(PARAMS)
        write_events(folder / "first.parquet", 0, rows, rows // 10, "2023-01-01", 1090)
        workbook = Workbook.open(folder / "w.yml")
        timed("ingest", lambda: ingest.ingest_files(workbook, "purchases", [folder / "first.parquet"]), seconds)
        show(timed("full build", lambda: models.refresh(workbook, *SCHEMAS), seconds))
        whole = seconds["ingest"] + seconds["full build"]
        timed("the same queries alone", lambda: bare(workbook), seconds)
        ratios = {"full build / its queries alone": seconds["full build"] / seconds["the same queries alone"]}
        for number, (name, (first, days)) in enumerate(MORE.items(), 1):
            file = folder / f"{number}.parquet"
            write_events(file, rows * (1 + number), rows // 100, rows // 10, first, days)
            timed(f"ingest +1 %, {name}", lambda file=file: ingest.ingest_files(workbook, "purchases", [file]), seconds)
            show(timed(f"refresh +1 %, {name}", lambda: models.refresh(workbook, *SCHEMAS), seconds))
            more = seconds[f"refresh +1 %, {name}"]
            ratios[f"+1 %, {name}: refresh / full build"] = more / seconds["full build"]
            both = more + seconds[f"ingest +1 %, {name}"]
            ratios[f"+1 %, {name}: ingest and refresh / ingest and full build"] = both / whole
        for name, ratio in deciles_against_one_query(workbook).items():
            ratios[f"deciles {name} / one hand-written query"] = ratio
        print(json.dumps({"rows": rows, **{name: round(ratio, 3) for name, ratio in ratios.items()}}, indent=2))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    main(parser.parse_args().rows)
