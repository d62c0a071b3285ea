"""What the simulated airline never has, so that no table of a test stays empty."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from activations import plan

# Overrides of the airline's params: a column of the events goes into the profile, and a finished experiment comes in.
ODD = {
    "sources.purchases.columns.details": {"from": "transaction_details", "type": "text", "attribute": True},
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
    nobody = events.iloc[:2].assign(membership_number="", event_id=["odd1", "odd2"])
    tables["loyalty_events"] = pd.concat([events, refunds, nobody])
    one, other = (drawn[drawn["arm"] == arm].iloc[0]["membership_number"] for arm in ("treated", "control"))
    address = customers.loc[customers["membership_number"] == one, "email"].iloc[0]
    customers.loc[customers["membership_number"] == other, "email"] = address
    mails = tables["email_events"]
    strange = mails.iloc[:1].assign(membership_number="nobody", message_id="odd", event_id="odd")
    tables["email_events"] = pd.concat([mails, strange])
    for name, rows in tables.items():
        rows.to_parquet(source / f"{name}.parquet", index=False)
    arms = [("control" if n % 3 == 0 else f"letter {n % 3}", n % 7 * 1.5, n % 5 * (n % 3)) for n in range(90)]
    pd.DataFrame(arms, columns=["arm", "spend_before", "spend"]).to_csv(source / "experiments.csv", index=False)
