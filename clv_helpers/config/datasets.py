"""What each dataset holds: the columns that the sql/ tables know, their types, and which of them identify a person."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

ColumnType = Literal["text", "integer", "number", "decimal", "boolean", "date", "timestamp"]
NUMERIC: tuple[ColumnType, ...] = ("decimal", "number", "integer")
EMAIL_EVENT_TYPES = ("sent", "delivered", "bounced", "opened", "clicked", "unsubscribed", "complained")
ARMS = ("treated", "control")


@dataclass(frozen=True)
class ColumnContract:
    """One column as it comes in.

    `header` is its name in the file, `alternatives` all that it may have there; where `sql` is given, it is calculated
    of other headers. A row that lacks a `required` value, or holds none of `enum` where that is
    given, is rejected. `identity` is the namespace in which the value identifies a person (empty: it does not).
    `personal`: it names a person or the person's own events, or may, as free text does; no chart shows it.
    `is_key`: a lookup is joined by it.
    """

    name: str
    header: str
    type: ColumnType
    required: bool = False
    enum: tuple[str, ...] = ()
    unit: str = ""
    identity: str = ""
    personal: bool = False
    alternatives: tuple[str, ...] = ()
    sql: str = ""
    is_key: bool = False


EMAIL_NAMESPACE = "Email"
# Columns that name a person, or may, in whatever table bears them.
PERSONAL = frozenset({
    "customer_id", "source_customer_id", "email", "first_name", "last_name", "phone", "address", "identity",
    "identity_value", "event_id", "message_id", "url", "user_agent",
})  # fmt: skip
# Columns of a source's own that are taken to, unless they say otherwise (`personal: false`).
NAMING = re.compile(
    r".*(e_?mail|phone|mobile|street|address|birth).*|(.*_)?(first|last|full|given|family|sur)_?name|name"
    r"|(.*_)?(postal|zip)_?code|(.*_)?(ip|iban|ssn|tax_id|vat_id)"
)
# Columns that count people in tables that Python writes.
PEOPLE_COUNTED = frozenset({"customers", "active_customers", "delivered", "sent", "profiles", "people"})


def _known(*, required: str = "", **types: ColumnType) -> dict[str, ColumnContract]:
    """Columns by name; `required` names those that no row may lack."""
    return {name: ColumnContract(name, name, kind, name in required.split()) for name, kind in types.items()}


# A params file maps its own headers onto these names, and may add columns of its own.
DATASETS: dict[str, dict[str, ColumnContract]] = {
    "purchases": _known(
        required="customer_id occurred_at",
        event_id="text",
        customer_id="text",
        email="text",
        occurred_at="timestamp",
        order_id="text",  # rows of one order are one purchase
        refund_of="text",  # the order that this row pays back
        transaction_type="text",
        transaction_details="text",
        category="text",
        product_id="text",
        product="text",
        quantity="number",
        amount="decimal",  # what remains of it: without `refunded`, and what the params take off
        status="text",
        currency="text",
        tax="decimal",
        shipping="decimal",
        discount="decimal",
        refunded="decimal",  # what was paid back of this row, not below zero
    )
    | {"email": ColumnContract("email", "email", "text", identity=EMAIL_NAMESPACE)},
    "customers": _known(
        required="customer_id",
        customer_id="text",
        email="text",
        first_name="text",
        last_name="text",
        region="text",
        joined_on="date",
        email_consent="boolean",
    )
    | {"email": ColumnContract("email", "email", "text", identity=EMAIL_NAMESPACE)},
    "email_events": _known(
        required="message_id campaign customer_id event_type occurred_at",
        event_id="text",
        message_id="text",
        campaign="text",
        audience="text",
        customer_id="text",
        event_type="text",
        occurred_at="timestamp",
        bounce_type="text",
        bounce_code="text",
        url="text",
        user_agent="text",
        ip_class="text",
    )
    | {"event_type": ColumnContract("event_type", "event_type", "text", True, EMAIL_EVENT_TYPES)},
    # Who was assigned to a campaign that another system sent, treated or control, at random.
    "assignments": _known(
        required="customer_id campaign assigned_at",
        customer_id="text",
        campaign="text",
        audience="text",
        assigned_at="timestamp",
    )
    | {"arm": ColumnContract("arm", "arm", "text", True, ARMS)},
    # A randomised mailing as one finished table: a row per person, with what the person spent before and after it.
    "experiments": _known(
        required="arm spend",
        customer_id="text",
        arm="text",
        spend_before="decimal",
        converted="boolean",
        spend="decimal",
    ),
    # What was spent on winning customers: a row per month and channel, of no customer.
    "costs": _known(required="month channel cost", month="text", channel="text", cost="decimal"),
}
COSTS = "costs"
# What a source under a name of its own may be, beside one of these.
EVENTS_ROLE, LOOKUP_ROLE = "events", "lookup"
OWN_EVENTS = _known(required="customer_id occurred_at", event_id="text", customer_id="text", occurred_at="timestamp")
# What there is of a session, which is made of the events of a source that has `sessions`.
SESSIONS = _known(
    required="session_id customer_id occurred_at ended_at events minutes",
    session_id="text",
    customer_id="text",
    occurred_at="timestamp",
    ended_at="timestamp",
    events="integer",
    minutes="decimal",
)
PRIMARY_IDENTITY = "customer_id"
EVENT_KEY = "event_id"
EVENT_TIME = "occurred_at"
EVENT_DATASETS = tuple(name for name, columns in DATASETS.items() if EVENT_TIME in columns)
# What stage 1's prediction says of a customer, as the profile shows it; there is always such a table, perhaps empty.
LIFETIME_VALUE: dict[str, ColumnType] = {
    "customer_id": "text",
    "probability_alive": "number",
    "expected_purchases": "number",
    "probability_purchase": "number",
    "expected_spend": "number",
    "lifetime_value": "number",
    "historic_value": "number",
    "decile_predicted": "integer",
    "next_purchase_expected": "date",
    "overdue": "number",
    "value_at_risk": "number",
    "purchases_low": "integer",
    "purchases_high": "integer",
    "lifetime_value_low": "number",
    "lifetime_value_high": "number",
    "lifetime_value_spread": "number",
}
# What of it is an amount of money, which leaves with two decimals.
MONEY = (
    "value", "spend", "monetary_value", "expected_spend", "lifetime_value", "historic_value", "value_at_risk",
    "lifetime_value_low", "lifetime_value_high", "lifetime_value_spread",
)  # fmt: skip
# What profile.customer says of a customer beside the columns of the customers data; those may not bear these names.
PROFILE_MEASURES = (
    "category", "decile_1_month", "decile_3_months", "decile_6_months", "decile_9_months", "decile_12_months",
    "decile_lifetime", "first_purchase_on", "last_purchase_on", "frequency", "recency_days", "purchases", "value",
    "spend", "monetary_value", "age_days", "days_since_purchase", "last_sent_on", "last_clicked_on",
    "recency_score", "frequency_score", "monetary_score", "rfm_segment",
    *(name for name in LIFETIME_VALUE if name != PRIMARY_IDENTITY),
)  # fmt: skip
# What it says besides where the params ask for attribution, and where purchases name products.
TOUCH_ATTRIBUTES = ("first_touch", "last_touch")
PRODUCT_ATTRIBUTES = ("first_product", "last_product")
