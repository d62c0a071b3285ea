"""What the simulated airline never has, so that no table of a test stays empty."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from activations import plan

# Overrides of the airline's params: a column of the events goes into the profile, a finished experiment comes in,
# flights are booked together and have names as products do, and flights of staff are left out. Visits of a site come
# in, with their sessions, and flights are credited to the mails before them.
ODD = {
    "sources.purchases.columns.order_id": "booking",
    "sources.purchases.columns.refund_of": "booking_paid_back",
    "sources.purchases.columns.product_id": "transaction_details",
    "sources.purchases.leave_out": {"staff": "transaction_details = 'Staff'"},
    "sources.purchases.columns.details": {"from": "transaction_details", "type": "text", "attribute": True},
    "sources.web": {
        "is": "events",
        "path": "${OUTPUTS}/source/web.csv",
        "namespace": "LoyaltyNumber",
        "sessions": "30 minutes",
    },
    "attribution": {
        "touches": [{"event": "email_events", "where": {"field": "event_type", "op": "equals", "value": "sent"}}],
        "window_days": 60,
    },
    "sources.experiments": {"path": "${OUTPUTS}/source/experiments.csv", "profile_enabled": False},
}
CAPPED = {"activations": [plan(frequency_cap={"messages": 7, "days": 366}, activate=True, control={"share": 0.1})]}


def add_odd_rows(source: Path) -> None:
    """What nobody of the simulated airline does: give back more than one spent, share an address, and the like."""
    tables = {file.stem: pd.read_parquet(file) for file in source.glob("*.parquet")}
    events, customers, drawn = tables["loyalty_events"], tables["members"], tables["assignments"]
    refunds = events[events["amount"] > 0].groupby("membership_number").head(1).iloc[:40].copy()
    refunds["event_id"] += "-refund"
    refunds["occurred_at"] += pd.Timedelta(days=3)
    refunds[["amount", "mileage"]] *= -2
    # what half of the members fly within a month they book together; of half of the refunds the booking is known
    booked = events["membership_number"] + events["occurred_at"].dt.strftime("-%Y%m")
    events["booking"] = booked.where(events["membership_number"].str[-1].isin(list("02468")), "")
    refunds["booking_paid_back"] = events["booking"].reindex(refunds.index)
    nobody = events.iloc[:2].assign(membership_number="", event_id=["odd1", "odd2"])
    staff = events.iloc[:7].assign(transaction_details="Staff", event_id=[f"staff{n}" for n in range(7)])
    till = events.iloc[:90].assign(membership_number="guest", booking="", event_id=[f"till{n}" for n in range(90)])
    tables["loyalty_events"] = pd.concat([events, refunds, nobody, staff, till]).fillna(
        {"booking": "", "booking_paid_back": ""}
    )
    one, other = (drawn[drawn["arm"] == arm].iloc[0]["membership_number"] for arm in ("treated", "control"))
    address = customers.loc[customers["membership_number"] == one, "email"].iloc[0]
    customers.loc[customers["membership_number"] == other, "email"] = address
    mails = tables["email_events"]
    strange = mails.iloc[:1].assign(membership_number="nobody", message_id="odd", event_id="odd")
    tables["email_events"] = pd.concat([mails, strange])
    visits = tables["loyalty_events"].iloc[:60][["membership_number", "occurred_at"]]
    visits = pd.concat([visits, visits.assign(occurred_at=visits["occurred_at"] + pd.Timedelta(minutes=7))])
    visits.insert(0, "event_id", [f"visit{n}" for n in range(len(visits))])
    visits.rename(columns={"membership_number": "customer_id"}).to_csv(source / "web.csv", index=False)
    for name, rows in tables.items():
        rows.to_parquet(source / f"{name}.parquet", index=False)
    arms = [("control" if n % 3 == 0 else f"letter {n % 3}", n % 7 * 1.5, n % 5 * (n % 3)) for n in range(90)]
    pd.DataFrame(arms, columns=["arm", "spend_before", "spend"]).to_csv(source / "experiments.csv", index=False)
