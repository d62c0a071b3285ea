"""Attribution is what pandas makes of the same touches and purchases, and credits every purchase exactly once."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from sqlglot import exp

from clv_helpers import campaigns, ingest, models
from clv_helpers.audiences.catalog import catalog_of
from clv_helpers.config.params import load_params
from clv_helpers.config.validation import ParamsError
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import table

PARAMS = """\
title: A small shop
min_cell: 1
sources:
  purchases: {path: orders*.csv}
  email_events: {path: mail.csv}
  web:
    is: events
    path: web.csv
    columns: {event_id: id, customer_id: visitor, occurred_at: at, campaign: {from: utm, type: text}}
attribution:
  touches:
    - {event: email_events, where: [{field: event_type, op: equals, value: clicked}]}
    - {event: web, where: [{field: campaign, op: exists}]}
  window_days: 10
"""
START = dt.datetime(2024, 1, 1)


def moment(chance: random.Random) -> dt.datetime:
    return START + dt.timedelta(days=chance.randrange(60), minutes=chance.randrange(1440))


def write_shop(folder: Path, chance: random.Random) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Orders and touches of twelve people; some lines of a day are refunds, some clicks opens, some visits nameless."""
    orders = pd.DataFrame(
        [
            (f"c{chance.randrange(12)}", moment(chance), Decimal(chance.choice(["10.01", "3.33", "7", "-2.5", "0.01"])))
            for _ in range(120)
        ],
        columns=["customer_id", "occurred_at", "amount"],
    )
    mail = pd.DataFrame(
        [
            (f"m{n}", f"mail{n % 3}", f"c{chance.randrange(12)}", chance.choice(["clicked", "opened"]), moment(chance))
            for n in range(150)
        ],
        columns=["message_id", "campaign", "customer_id", "event_type", "occurred_at"],
    )
    web = pd.DataFrame(
        [
            (f"w{n}", f"c{chance.randrange(12)}", moment(chance), chance.choice(["search", "social", None]))
            for n in range(120)
        ],
        columns=["id", "visitor", "at", "utm"],
    )
    for name, frame in (("orders", orders), ("mail", mail), ("web", web)):
        frame.to_csv(folder / f"{name}.csv", index=False)
    clicks = mail[mail["event_type"] == "clicked"][["customer_id", "occurred_at", "campaign"]]
    visits = web.dropna().rename(columns={"visitor": "customer_id", "at": "occurred_at", "utm": "campaign"})
    touches = pd.concat([clicks, visits[["customer_id", "occurred_at", "campaign"]]], ignore_index=True)
    return orders, touches


def by_pandas(orders: pd.DataFrame, touches: pd.DataFrame) -> pd.DataFrame:
    rows = []
    orders = orders.assign(day=orders["occurred_at"].dt.date)
    for (customer, _), lines in orders.groupby(["customer_id", "day"]):
        purchases, spend = int((lines["amount"] >= 0).sum()), sum(lines["amount"], Decimal(0))
        if not purchases:
            continue
        at = lines["occurred_at"].max()
        mine = touches[(touches["customer_id"] == customer) & (touches["occurred_at"] < at)]
        mine = mine[mine["occurred_at"] >= at - pd.Timedelta(days=10)].sort_values(["occurred_at", "campaign"])
        channels = list(mine["campaign"])
        first, last = (channels[0], channels[-1]) if channels else ("none", "none")
        rows.append(("first touch", first, customer, Decimal(purchases), spend))
        rows.append(("last touch", last, customer, Decimal(purchases), spend))
        share = max(1, len(channels))
        rows += [("linear", each, customer, purchases / Decimal(share), spend / share) for each in channels or ["none"]]
    return pd.DataFrame(rows, columns=["model", "channel", "customer_id", "purchases", "spend"])


def exact(workbook: Workbook, name: str) -> pd.DataFrame:
    """The rows of a table with decimals as they are."""
    with workbook.engine.read() as session:
        return pd.DataFrame(session.rows(exp.select("*").from_(table(name))), dtype=object)


@pytest.mark.parametrize("seed", range(2))
def test_credit_is_that_of_pandas_and_sums_to_all_purchases(outputs: Path, tmp_path: Path, seed: int) -> None:
    orders, touches = write_shop(tmp_path, random.Random(seed))
    (tmp_path / "shop.yml").write_text(PARAMS, encoding="utf-8")
    workbook = Workbook.open(tmp_path / "shop.yml")
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived", "profile", "campaigns")
    expected = by_pandas(orders, touches)
    found = exact(workbook, "campaigns.fact_attribution")
    grouped = expected.groupby(["model", "channel"])
    assert set(zip(found["model"], found["channel"], strict=True)) == set(grouped.groups)
    for row in found.itertuples():
        rows = grouped.get_group((row.model, row.channel))
        slack = Decimal("0.0001") * len(rows) if row.model == "linear" else 0
        assert abs(sum(rows["spend"]) - row.spend) <= slack
        assert abs(sum(rows["purchases"]) - row.purchases) <= slack
        assert row.customers == rows["customer_id"].nunique()
    days = exact(workbook, "derived.customer_day")
    bought = days.groupby(["customer_id", "day"])[["purchases", "spend"]].sum()
    bought = bought[bought["purchases"] > 0]
    for model in ("first touch", "last touch", "linear"):
        rows = found[found["model"] == model]
        assert sum(rows["spend"]) == sum(bought["spend"])  # exactly, refunds of the same day included
        assert sum(rows["purchases"]) == sum(bought["purchases"])
    profile = workbook.query("profile.customer").set_index("customer_id")
    latest = dict(bought.index)
    touched = exact(workbook, "derived.purchase_touch")
    for customer, day in latest.items():
        mine = touched[(touched["customer_id"] == customer) & (touched["day"] == day)].sort_values("touch_number")
        ends = [mine["channel"].iloc[0], mine["channel"].iloc[-1]] if len(mine) else [None, None]
        assert [each or None for each in profile.loc[customer, ["first_touch", "last_touch"]].fillna("")] == ends
    assert {"first_touch", "last_touch"} <= catalog_of(workbook.params).profile.keys()
    shown = campaigns.attribution(workbook)
    assert "not what caused it" in shown.bundle["text/plain"]
    assert len(shown.parts) == 4


def test_parts_that_change_are_built_as_in_full(outputs: Path, tmp_path: Path) -> None:
    orders, touches = write_shop(tmp_path, random.Random(5))
    (tmp_path / "shop.yml").write_text(PARAMS, encoding="utf-8")
    workbook = Workbook.open(tmp_path / "shop.yml")
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived")
    more = pd.DataFrame([("c1", START + dt.timedelta(days=59, hours=23), Decimal(9))], columns=orders.columns)
    more.to_csv(tmp_path / "orders_late.csv", index=False)
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived", "campaigns")
    expected = by_pandas(pd.concat([orders, more], ignore_index=True), touches)
    found = exact(workbook, "campaigns.fact_attribution")
    found = found[found["model"] == "last touch"].set_index("channel")["spend"]
    last = expected[expected["model"] == "last touch"].groupby("channel")["spend"].sum()
    assert dict(found) == dict(last)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("event: web,", "event: wep,", "touches[1].event is 'wep'; allowed: purchases, email_events, web"),
        ("{field: campaign, op: exists}", "{field: x, op: exists}", "where.all[0].field is 'x', not in web"),
        ("op: exists}]}", "op: exists}], by: visits}", "touches[1].by is 'visits'; allowed: "),
        ("window_days: 10", "window_days: 0", "attribution.window_days is 0"),
    ],
)
def test_what_is_not_there_is_named_with_its_place(tmp_path: Path, old: str, new: str, says: str) -> None:
    (tmp_path / "shop.yml").write_text(PARAMS.replace(old, new), encoding="utf-8")
    with pytest.raises(ParamsError) as error:
        load_params(tmp_path / "shop.yml")
    assert says in str(error.value)
