"""The mapped row: the profile's fields under a destination's names, and the hash by which a change is noticed."""

from __future__ import annotations

from typing import cast

from sqlglot import exp

from clv_helpers.activation.destination import CUSTOMER, MEMBERSHIP, Part
from clv_helpers.config.destinations import STATUS_FIELD, DestinationParams
from clv_helpers.engines.dialect import bind, joined, literal, parse

ROWS = f"""
SELECT $mapped, l.customer_id AS {CUSTOMER}, l.membership AS {MEMBERSHIP}
FROM activation.ledger AS l LEFT JOIN profile.customer AS p ON p.customer_id = l.customer_id
WHERE l.run_id = $run_id AND l.part = $part AND l.status = 'intended'
ORDER BY l.customer_id
"""


def rows_of_part(part: Part, params: DestinationParams) -> exp.Select:
    """The rows of a part as the destination gets them, by customer id, with `_customer` and `_membership`."""
    special = {
        STATUS_FIELD: _status(params),
        "customer_id": exp.column("customer_id", table="l"),  # even of one who is no longer known
    }
    mapped = [special.get(field, _field(field)).as_(header, quoted=True) for field, header in params.columns.items()]
    return cast(exp.Select, bind(parse(ROWS), {"run_id": part.run.run_id, "part": part.number, "mapped": mapped}))


def _status(params: DestinationParams) -> exp.Expression:
    """The membership status as the params want it written."""
    membership = exp.column("membership", table="l")
    values = exp.Case(this=membership)
    for status, value in params.status_values.items():
        values = values.when(literal(status), literal(value))
    return values.else_(membership.copy()) if params.status_values else membership


def row_hash(params: DestinationParams) -> exp.Expression:
    """The hash of a mapped row of profile.customer AS p: its values, and the headers under which they go."""
    values: list[exp.Expression] = [
        exp.Coalesce(this=exp.cast(_field(field), "VARCHAR"), expressions=[literal("\x1e")])
        for field in params.columns
        if field != STATUS_FIELD
    ]
    return exp.MD5(this=joined([literal(",".join(params.columns.values())), *values]))


def _field(name: str) -> exp.Column:
    return exp.column(name, table="p", quoted=True)
