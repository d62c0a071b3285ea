"""What each dataset holds: the columns that the sql/ tables know, their types, and which of them identify a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

ColumnType = Literal["text", "integer", "number", "decimal", "boolean", "date", "timestamp"]
NUMERIC: tuple[ColumnType, ...] = ("decimal", "number", "integer")
EMAIL_EVENT_TYPES = ("sent", "delivered", "bounced", "opened", "clicked", "unsubscribed", "complained")
ARMS = ("treated", "control")


@dataclass(frozen=True)
class ColumnContract:
    """One column as it comes in.

    `header` is its name in the file; a row that lacks a `required` value, or holds none of `enum` where that is
    given, is rejected. `identity` is the namespace in which the value identifies a person (empty: it does not).
    """

    name: str
    header: str
    type: ColumnType
    required: bool = False
    enum: tuple[str, ...] = ()
    unit: str = ""
    identity: str = ""


EMAIL_NAMESPACE = "Email"


def _known(**types: str) -> dict[str, ColumnContract]:
    """Columns by name; a ! marks what no row may lack."""
    return {name: ColumnContract(name, name, _type(kind), kind.endswith("!")) for name, kind in types.items()}


def _type(kind: str) -> ColumnType:
    return cast("ColumnType", kind.rstrip("!"))


# A params file maps its own headers onto these names, and may add columns of its own.
DATASETS: dict[str, dict[str, ColumnContract]] = {
    "purchases": _known(
        event_id="text",
        customer_id="text!",
        occurred_at="timestamp!",
        transaction_type="text",
        transaction_details="text",
        category="text",
        amount="decimal",
    ),
    "customers": _known(
        customer_id="text!",
        email="text",
        first_name="text",
        last_name="text",
        region="text",
        joined_on="date",
        email_consent="boolean",
    )
    | {"email": ColumnContract("email", "email", "text", identity=EMAIL_NAMESPACE)},
    "email_events": _known(
        event_id="text",
        message_id="text!",
        campaign="text!",
        audience="text",
        customer_id="text!",
        event_type="text!",
        occurred_at="timestamp!",
        bounce_type="text",
        bounce_code="text",
        url="text",
        user_agent="text",
        ip_class="text",
    )
    | {"event_type": ColumnContract("event_type", "event_type", "text", True, EMAIL_EVENT_TYPES)},
    # Who was drawn for a campaign that another system sent, and who was held back at random.
    "assignments": _known(customer_id="text!", campaign="text!", audience="text", assigned_at="timestamp!")
    | {"arm": ColumnContract("arm", "arm", "text", True, ARMS)},
    # A randomised mailing as one finished table: a row per person, with what the person spent before and after it.
    "experiments": _known(
        customer_id="text", arm="text!", spend_before="decimal", converted="boolean", spend="decimal!"
    ),
}
PRIMARY_IDENTITY = "customer_id"
EVENT_KEY = "event_id"
EVENT_TIME = "occurred_at"
EVENT_DATASETS = tuple(name for name, columns in DATASETS.items() if EVENT_TIME in columns)
# What stage 1's prediction says of a customer, as the profile shows it; there is always such a table, perhaps empty.
LIFETIME_VALUE: dict[str, ColumnType] = {
    "customer_id": "text",
    "probability_alive": "number",
    "expected_purchases": "number",
    "probability_of_purchase": "number",
    "expected_spend": "number",
    "lifetime_value": "number",
    "historic_value": "number",
    "decile_predicted": "integer",
}
# What profile.customer says of a customer beside the columns of the customers data; those may not bear these names.
PROFILE_MEASURES = (
    "category", "decile_1_month", "decile_3_months", "decile_6_months", "decile_9_months", "decile_12_months",
    "decile_lifetime", "first_purchase_on", "last_purchase_on", "frequency", "recency_days", "purchases", "value",
    "spend", "monetary_value", "age_days", "days_since_purchase", "last_sent_on", "last_clicked_on",
    *(name for name in LIFETIME_VALUE if name != PRIMARY_IDENTITY),
)  # fmt: skip
# Tables that Python writes, and tables of sql/ read: there is always each of them, perhaps empty.
WRITTEN: dict[str, dict[str, ColumnType]] = {
    "lifetime.customer_lifetime_value": LIFETIME_VALUE,
    "audiences.dim_audience": {
        "audience": "text",
        "title": "text",
        "description": "text",
        "rule_hash": "text",
        "evaluation": "text",
    },
    # One row: a stay of a customer in an audience.
    "audiences.membership_period": {
        "audience": "text",
        "customer_id": "text",
        "evaluation": "integer",
        "first_qualified_at": "timestamp",
        "last_qualified_at": "timestamp",
        "left_at": "timestamp",
        "rule_hash": "text",
        "snapshot": "integer",
    },
    # One row: an evaluation of an audience.
    "audiences.evaluation": {
        "evaluation": "integer",
        "audience": "text",
        "mode": "text",
        "evaluated_at": "timestamp",
        "rule_hash": "text",
        "snapshot": "integer",
        "customers": "integer",
        "realized": "integer",
        "exited": "integer",
    },
    # One row: a hand-over of an audience to a destination.
    "activation.run": {
        "run_id": "text",
        "campaign": "text",
        "audience": "text",
        "destination": "text",
        "as_of": "date",
        "status": "text",
        "parts": "integer",
        "customers": "integer",
        "realized": "integer",
        "existing": "integer",
        "exited": "integer",
        "started_at": "timestamp",
        "finished_at": "timestamp",
    },
    # One row: a customer drawn for a campaign, or held back from it.
    "activation.assignment": {
        "campaign": "text",
        "customer_id": "text",
        "audience": "text",
        "destination": "text",
        "arm": "text",
        "decile": "integer",
        "as_of": "date",
        "assigned_at": "timestamp",
    },
    # Of sql/activation, which is built once something is planned: what stage 6 reads of it.
    "activation.fact_waterfall": {
        "campaign": "text",
        "audience": "text",
        "destination": "text",
        "step_order": "integer",
        "step": "text",
        "customers": "integer",
    },
}
