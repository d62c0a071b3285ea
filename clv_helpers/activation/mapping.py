"""The mapped row: the profile's fields under the names that a destination knows, and the hash by which it changes."""

from __future__ import annotations

from sqlglot import exp

from clv_helpers.activation.destination import CUSTOMER, OPERATION, Run
from clv_helpers.config.destinations import STATUS_FIELD, DestinationParams
from clv_helpers.engines.dialect import joined, literal, table


def people(run: Run, number: int, params: DestinationParams) -> exp.Select:
    """The rows of a part as the destination gets them, by customer id, with `_customer` and `_operation`."""
    from_ledger = {"run_id": run.run_id, "part": number, "status": "intended"}
    where = [exp.EQ(this=exp.column(key, table="l"), expression=literal(value)) for key, value in from_ledger.items()]
    extra = [
        exp.column("customer_id", table="l").as_(CUSTOMER),
        exp.column("operation", table="l").as_(OPERATION),
    ]
    return (
        exp.select(*(value.as_(header, quoted=True) for header, value in _mapped(params).items()), *extra)
        .from_(table("activation.ledger").as_("l"))
        .join(table("profile.customer").as_("p"), on="p.customer_id = l.customer_id", join_type="left")
        .where(*where)
        .order_by(exp.column("customer_id", table="l"))
    )


def _mapped(params: DestinationParams) -> dict[str, exp.Expression]:
    left = exp.EQ(this=exp.column("operation", table="l"), expression=literal("leave"))
    special = {
        STATUS_FIELD: exp.Case().when(left, literal("expired")).else_(literal("active")),
        "customer_id": exp.column("customer_id", table="l"),  # even of one who is no longer known
    }
    return {
        header: special.get(field, exp.column(field, table="p", quoted=True))
        for field, header in params.columns.items()
    }


def row_hash(params: DestinationParams) -> exp.Expression:
    """The hash of a mapped row of profile.customer AS p: its values, and the headers under which they go."""
    values = [
        exp.func("COALESCE", exp.cast(exp.column(field, table="p", quoted=True), "VARCHAR"), literal("\x1e"))
        for field in params.columns
        if field != STATUS_FIELD
    ]
    parts = [literal(",".join(params.columns.values())), *values]
    return exp.func("MD5", joined(parts))
