"""Rows that are no purchases by rule: not inserted, and counted by reason with their amount in lake.left_out.

Accepted, rejected and left out together are what was read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlglot import exp

from clv_helpers.config.datasets import PRIMARY_IDENTITY
from clv_helpers.config.sources import Source
from clv_helpers.engines.dialect import cast, column, expression, is_in
from clv_helpers.engines.session import Session
from clv_helpers.ingest.row_sql import row_expression
from clv_helpers.ingest.writings import Writing

LEFT_OUT = "lake.left_out"
COLUMNS: dict[str, Any] = {
    "_batch_id": "integer",
    "dataset": "text",
    "reason": "text",
    "rows": "integer",
    "amount": "decimal",
}
GUEST = "email:"  # before the address of a guest, in the place of a customer id
RECORD = """
    INSERT INTO lake.left_out
    SELECT $batch, $dataset, _left_out, COUNT(*), TRY_CAST(SUM($amount) AS DECIMAL(18, 4)) FROM staged
    WHERE NOT _left_out IS NULL GROUP BY _left_out ORDER BY _left_out
"""


def expressions(source: Source) -> Iterator[tuple[str, str, str]]:
    """The rules over the file's headers: the key of the params, the reason, and the expression."""
    if source.where:
        yield "where", "where", source.where
    for name, sql in source.leave_out.items():
        yield f"leave_out.{name}", name, sql


def by_headers(source: Source, writing: Writing) -> exp.Expression:
    """The reason for which a row of the file is left out, of its headers; NULL where it is not."""
    reasons = exp.Case()
    for key, reason, sql in expressions(source):
        test = expression("COALESCE($test, FALSE)", test=row_expression(sql, writing).tree)
        reasons = reasons.when(exp.not_(test) if key == "where" else test, exp.Literal.string(reason), copy=False)
    return reasons if reasons.args.get("ifs") else cast(exp.null(), "text")


def by_values(source: Source, names: set[str], is_guest: exp.Expression) -> exp.Expression:
    """The same of the values that were read: collective accounts, statuses, guests."""
    reasons, customer = exp.Case(), column(PRIMARY_IDENTITY)
    if source.exclude and PRIMARY_IDENTITY in names:
        reasons = reasons.when(is_in(customer, list(source.exclude)), exp.Literal.string("exclude"), copy=False)
    for status in source.statuses.left_out if "status" in names else []:
        reasons = reasons.when(has_status([status]), exp.Literal.string(f"status {status.strip().lower()}"), copy=False)
    if source.guests != "reject" and PRIMARY_IDENTITY in names:
        reasons = reasons.when(is_guest, exp.Literal.string("guests"), copy=False)
    return reasons if reasons.args.get("ifs") else cast(exp.null(), "text")


def has_status(statuses: list[str]) -> exp.Expression:
    """Whether the status of a row is one of these, in whichever case."""
    folded = expression("LOWER(TRIM($status))", status=column("status"))
    return expression("COALESCE($known, FALSE)", known=is_in(folded, [each.strip().lower() for each in statuses]))


def guest_id(customer: exp.Expression, email: exp.Expression) -> exp.Expression:
    """The customer id of a row, or one made of its e-mail address: so one guest is one customer."""
    return expression("COALESCE($customer, $guest || $email)", customer=customer, guest=GUEST, email=email)


def record(session: Session, dataset: str, batch_id: int, amount: str) -> None:
    """Count the rows of `staged` that are left out; `amount` is the column that is summed, empty for none."""
    summed = column(amount) if amount else cast(exp.null(), "decimal")
    session.run(RECORD, batch=batch_id, dataset=dataset, amount=summed)
