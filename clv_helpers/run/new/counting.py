"""The first sums of a workbook being made: its files read as `clv run` reads them, into a lake that is thrown away."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from sqlglot import exp

from clv_helpers import ingest
from clv_helpers.config.params import Params
from clv_helpers.config.validation import validate
from clv_helpers.engines.dialect import column, expression, table
from clv_helpers.run.new.draft import Draft
from clv_helpers.run.trial import trial

COUNTED = """
    SELECT COUNT(*) AS rows, COUNT(DISTINCT order_id) + COUNT(*) FILTER (WHERE order_id IS NULL) AS orders,
        COUNT(DISTINCT customer_id) AS customers, COALESCE(SUM(amount), 0) AS amount,
        COALESCE(SUM(COALESCE(refunded, 0) + CASE WHEN amount < 0 THEN -amount ELSE 0 END), 0) AS refunds,
        CAST(MIN(occurred_at) AS DATE) AS first_on, CAST(MAX(occurred_at) AS DATE) AS last_on
    FROM lake.purchases
"""
LEFT_OUT = """
    SELECT reason, SUM(rows) AS rows, SUM(amount) AS amount FROM lake.left_out WHERE dataset = 'purchases'
    GROUP BY reason ORDER BY SUM(rows) DESC, reason
"""
REJECTED = """
    SELECT column_name || ' ' || reason AS reason, COUNT(*) AS rows, MIN(value) AS example FROM lake.rejected_rows
    WHERE dataset = 'purchases' GROUP BY column_name, reason ORDER BY COUNT(*) DESC, reason
"""


# What the reasons of lake.left_out mean; names of the params' own rules stand for themselves.
REASONS = {
    "guests": "guests, without a customer id",
    "exclude": "ids that are no customer",
    "where": "rows of no purchase",
}


@dataclass(frozen=True)
class Aside:
    """Rows that do not count: why, how many, with which amount (none is known of a row that was rejected)."""

    reason: str
    rows: int
    amount: Decimal | None = None
    example: str = ""


@dataclass(frozen=True)
class Sums:
    """What came of the purchases: rows, orders, customers, amount in `unit`, days, and what does not count.

    `orders_in_file` counts order numbers of all rows, those left out among them; 0 where rows have none.
    """

    rows: int
    orders: int
    customers: int
    amount: Decimal
    refunds: Decimal
    unit: str
    first_on: dt.date | None
    last_on: dt.date | None
    read: int
    orders_in_file: int = 0
    left_out: list[Aside] = field(default_factory=list)
    rejected: list[Aside] = field(default_factory=list)

    @property
    def in_file(self) -> Decimal:
        """What all rows amount to that could be read."""
        return self.amount + sum((each.amount or Decimal(0) for each in self.left_out), Decimal(0))

    def totals(self) -> list[str]:
        """The sums without a value of the data, for what may be handed on."""
        aside = [f"{kind}: {each.reason}, {each.rows:,} rows" for kind, each in self._aside()]
        return [f"{self.orders:,} orders, {self.customers:,} customers, {self.amount:,.2f} {self.unit}", *aside]

    def _aside(self) -> list[tuple[str, Aside]]:
        return [*(("left out", each) for each in self.left_out), *(("rejected", each) for each in self.rejected)]

    def sentences(self, purchases: str = "orders", customers: str = "customers") -> list[str]:
        """The sums in words: what the file holds, what of it does not count, what counts."""
        days = f"{self.first_on:%-d %b %Y} – {self.last_on:%-d %b %Y}" if self.first_on and self.last_on else "no days"
        aside = [
            *(
                f"left out: {each.reason}, {each.rows:,} rows, {each.amount or 0:,.2f} {self.unit}"
                for each in self.left_out
            ),
            *(f"rejected: {each.reason}, {each.rows:,} rows, such as {each.example!r}" for each in self.rejected),
        ]
        counted = f"{self.orders:,} {purchases}, {self.customers:,} {customers}, {self.amount:,.2f} {self.unit}"
        refunds = f" ({self.refunds:,.2f} of refunds taken off)" if self.refunds else ""
        if not aside:
            return [f"{counted}{refunds}, {days}"]
        orders = f"{self.orders_in_file:,} {purchases}, " if self.orders_in_file else ""
        whole = f"in the file: {orders}{self.read:,} rows, {self.in_file:,.2f} {self.unit}, {days}"
        return [whole, *aside, f"counted: {counted}{refunds}"]


def sums(made: Draft, file: Path) -> Sums:
    """What a run will count: every file read as it reads it. `file` is where the params will be.

    Raises ParamsError for params that do not go together, IngestError for a file that cannot come in. Cost: that of
    bringing the files in.
    """
    params = validate(Params, made.raw, str(file))
    with trial(file, params) as tried:
        if tried.problems:
            raise ingest.IngestError(tried.problems[0])
        with tried.engine.write() as session:
            counted = session.rows(COUNTED)[0]
            left_out = session.rows(LEFT_OUT)
            rejected = session.rows(REJECTED)
    return Sums(
        **counted,
        unit=params.value.unit,
        read=sum(batch.rows_read or 0 for batch in tried.batches if batch.dataset == "purchases"),
        orders_in_file=_orders_in_file(made),
        left_out=[Aside(REASONS.get(row["reason"], row["reason"]), row["rows"], row["amount"]) for row in left_out],
        rejected=[Aside(row["reason"], row["rows"], None, row["example"] or "") for row in rejected],
    )


def _orders_in_file(made: Draft) -> int:
    """Order numbers over all files, from the texts as they are."""
    parts = [
        exp.select(expression("NULLIF(TRIM($header), '')", header=column(reading.headers["order_id"])).as_("number"))
        .from_(table(sample.table))
        for sample, reading in zip(made.samples["purchases"], made.readings["purchases"], strict=True)
        if "order_id" in reading.headers
    ]  # fmt: skip
    if not parts:
        return 0
    whole: exp.Query = parts[0]
    for part in parts[1:]:
        whole = exp.union(whole, part, distinct=False)
    session = made.samples["purchases"][0].session
    return session.scalar("SELECT COUNT(DISTINCT number) AS n FROM $whole AS w", whole=whole.subquery())
