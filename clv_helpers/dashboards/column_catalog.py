"""The published tables that a composer can choose from."""

from __future__ import annotations

from clv_helpers.engines.dialect import table
from clv_helpers.engines.session import Session
from clv_helpers.models.catalog import CHARTED

SCHEMAS = CHARTED
CUSTOMER = "customer_id"  # tables with a row per customer are no table of a chart


def tables(session: Session) -> list[str]:
    """The tables that charts can be made of: aggregates, no row per customer."""
    return [
        name
        for name in session.tables()
        if name.partition(".")[0] in SCHEMAS and not {CUSTOMER, "customer"} & set(session.columns(table(name)))
    ]
