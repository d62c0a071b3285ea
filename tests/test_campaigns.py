"""Rates against an independent version in pandas; responses that come late, twice or wrong."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scipy.stats import binomtest

from clv_helpers import campaigns, ingest
from clv_helpers.config.workbook import StageSkipped, Workbook
from conftest import write_shop

DAY = dt.datetime(2024, 3, 1, 9)
Events = list[tuple[str, str, str, float]]  # message, customer, event type, minutes after DAY


def test_rates_agree_with_pandas(airline: Workbook) -> None:
    """Each rate of each campaign and audience, from the raw events; intervals against scipy's Wilson interval."""
    with airline.engine.write() as session:
        events = session.frame("SELECT * FROM lake.email_events")
    kind, agent = events["event_type"], events["user_agent"].fillna("")
    delivered_at = events[kind == "delivered"].groupby("message_id")["occurred_at"].min()
    bounced_at = events[kind == "bounced"].groupby("message_id")["occurred_at"].max()
    later = bounced_at.reindex(delivered_at.index) >= delivered_at
    accepted = set(delivered_at.index[~later])
    since = (events["occurred_at"] - events["message_id"].map(delivered_at)).dt.total_seconds()
    is_click = (kind == "clicked") & ~events["url"].fillna("").str.contains("unsubscribe")
    bot = events["ip_class"].eq("datacenter") | agent.str.contains("Scan") | since.between(0, 9)
    person = (is_click & ~bot) | ((kind == "opened") & (agent != "Mozilla/5.0"))
    sets = {
        "sent": kind == "sent",
        "delivered": kind == "delivered",
        "accepted": events["message_id"].isin(accepted) & (kind == "sent"),
        "opened": person,
        "opened_with_machines": is_click | (kind == "opened"),
        "clicked": is_click & ~bot,
        "clicked_with_machines": is_click,
        "unsubscribed": kind == "unsubscribed",
        "complained": kind == "complained",
        "hard_bounced": events["bounce_code"].eq("5.1.1"),
        "blocked": events["bounce_code"].eq("5.7.1"),
        "soft_bounced": events["bounce_code"].fillna("").str.startswith("4"),
    }
    responses = ["opened", "opened_with_machines", "clicked", "clicked_with_machines", "unsubscribed", "complained"]
    for name in responses:
        sets[name] &= events["message_id"].isin(accepted)
    counts = {
        name: events[which].groupby(["campaign", "audience"])["customer_id"].nunique() for name, which in sets.items()
    }
    kpis = airline.query("campaigns.dim_kpi").set_index("kpi")
    found = airline.query("campaigns.fact_campaign_rate", decile_group="ALL")
    found = found[found["audience"] != "ALL"]
    assert len(found) == 12 * len(counts["sent"])
    for row in found.itertuples():
        key = (row.campaign, row.audience)
        expected = [counts[kpis.loc[row.kpi, part]].get(key, 0) for part in ("numerator_is", "denominator_is")]
        assert [row.numerator, row.denominator] == expected, (key, row.kpi)
        if row.denominator:
            interval = binomtest(row.numerator, row.denominator).proportion_ci(0.95, method="wilson")
            assert (row.low, row.high) == pytest.approx((interval.low, interval.high), abs=1e-7)
    machines = found.pivot_table(index="campaign", columns="kpi", values="numerator", aggfunc="sum").sum()
    assert machines["open rate with machines"] > machines["open rate"]
    assert machines["click rate with machines"] > machines["click rate"]
    assert machines["accepted rate"] < machines["delivery rate"]


def test_a_person_in_two_audiences_counts_once_in_the_campaign(workbook: Workbook) -> None:
    with workbook.engine.write() as session:
        session.run(
            "INSERT INTO lake.email_events BY NAME "
            "SELECT * REPLACE (CONCAT('again-', message_id) AS message_id, CONCAT('again-', event_id) AS event_id, "
            "'Elsewhere' AS audience, 900 AS _batch_id) FROM lake.email_events WHERE campaign = 'winter-fares'"
        )
        session.run("INSERT INTO lake.batch_log SELECT * REPLACE (900 AS _batch_id) FROM lake.batch_log LIMIT 1")
        session.run("UPDATE lake.batch_log SET dataset = 'email_events', status = 'success' WHERE _batch_id = 900")
    before = rates(workbook, "winter-fares")
    campaigns.build(workbook)
    after = rates(workbook, "winter-fares")
    assert after == before
    audiences = workbook.query("campaigns.fact_campaign_result", campaign="winter-fares")
    assert audiences["sent"].sum() == 2 * before["delivery rate"][1]


def rates(workbook: Workbook, campaign: str) -> dict[str, tuple[int, int]]:
    """Numerator and denominator of each rate of a campaign."""
    rows = workbook.query("campaigns.fact_campaign_rate", campaign=campaign, audience="ALL", decile_group="ALL")
    return {row.kpi: (row.numerator, row.denominator) for row in rows.itertuples()}


@pytest.fixture
def mailer(outputs: Path, tmp_path: Path) -> Callable[..., Workbook]:
    """A shop with three customers, whose e-mail events the test writes, a file per call."""
    mail = tmp_path / "mail"
    mail.mkdir()
    (tmp_path / "people.csv").write_text("customer_id\na\nb\nc\n")
    params = write_shop(
        tmp_path,
        extra="  customers: {path: people.csv}\n  email_events: {path: mail/*.csv, max_rejected_share: 0.9}\n",
    )

    def send(events: Events, campaign: str = "spring", **more: Any) -> Workbook:
        rows = [
            {
                "event_id": f"{message}-{kind}-{minutes}",
                "message_id": message,
                "campaign": campaign,
                "customer_id": customer,
                "event_type": kind,
                "occurred_at": DAY + dt.timedelta(minutes=minutes),
                "bounce_code": more.get("code"),
                "user_agent": more.get("agent", "Mozilla/5.0 (X11; Linux)"),
            }
            for message, customer, kind, minutes in events
        ]
        pd.DataFrame(rows).to_csv(mail / f"{len(list(mail.iterdir())):03}.csv", index=False)
        workbook = Workbook.open(params)
        ingest.ingest_files(workbook)
        campaigns.build(workbook)
        return workbook

    return send


def test_a_click_may_come_before_its_delivery(mailer) -> None:
    workbook = mailer([("m1", "a", "sent", 0), ("m1", "a", "clicked", 30)])
    assert rates(workbook, "spring")["click rate"] == (1, 1)
    workbook = mailer([("m1", "a", "delivered", 1)])
    assert rates(workbook, "spring")["click rate"] == (1, 1)
    assert rates(workbook, "spring")["delivery rate"] == (1, 1)


def test_a_bounce_after_the_delivery_takes_the_message_back(mailer) -> None:
    workbook = mailer([("m1", "a", "sent", 0), ("m1", "a", "delivered", 1), ("m2", "b", "sent", 0)])
    mailer([("m2", "b", "delivered", 1), ("m2", "b", "opened", 30)])
    mailer([("m1", "a", "bounced", 60)], code="5.1.1")
    found = rates(workbook, "spring")
    assert found["delivery rate"] == (2, 2)
    assert found["accepted rate"] == (1, 2)
    assert found["open rate"] == (1, 1)
    assert found["hard bounce rate"] == (1, 2)


def test_a_deferral_before_the_delivery_does_not(mailer) -> None:
    workbook = mailer([("m1", "a", "sent", 0), ("m1", "a", "bounced", 1)], code="4.2.2")
    mailer([("m1", "a", "delivered", 90)])
    assert rates(workbook, "spring")["accepted rate"] == (1, 1)


@pytest.mark.parametrize(
    ("code", "rate"),
    [
        ("5.1.1", "hard bounce rate"),
        ("550 5.1.1", "hard bounce rate"),
        ("550 5.7.26", "block rate"),
        ("5.7.1", "block rate"),
        ("4.2.2", "soft bounce rate"),
        ("452-4.2.2", "soft bounce rate"),
    ],
)
def test_bounces_by_their_code(mailer, code: str, rate: str) -> None:
    workbook = mailer([("m1", "a", "sent", 0), ("m1", "a", "bounced", 1)], code=code)
    found = rates(workbook, "spring")
    kinds = ("hard bounce rate", "block rate", "soft bounce rate")
    assert {kind: found[kind][0] for kind in kinds} == {kind: int(kind == rate) for kind in kinds}
    assert workbook.query("insights.fact_campaign_send")["bounce_code"].tolist() == [code]


def test_what_cannot_be_counted_is_rejected_with_the_reason(mailer) -> None:
    sent = [(f"m{each}", each, kind, 0) for each in "abc" for kind in ("sent", "delivered")]
    workbook = mailer(sent)
    mailer([("mz", "z", "sent", 0), ("ma", "a", "opened", -90), ("mb", "b", "opened", 5)])
    mailer([("mo", "c", "opened", 5)], campaign="sprnig")
    found = workbook.query("campaigns.rejected_response", order_by="message_id")
    assert dict(zip(found["message_id"], found["reason"], strict=True)) == {
        "ma": "before its message was sent",
        "mo": "unknown campaign",
        "mz": "unknown customer",
    }
    assert rates(workbook, "spring")["open rate"] == (1, 3)
    assert rates(workbook, "spring")["delivery rate"] == (3, 3)


def test_what_was_rejected_counts_once_its_reason_is_gone(mailer, tmp_path: Path) -> None:
    workbook = mailer([("mz", "z", "sent", 0), ("mz", "z", "opened", 5)])
    assert rates(workbook, "spring") == {}
    (tmp_path / "late.csv").write_text("customer_id\nz\n")
    ingest.ingest_files(workbook, "customers", [tmp_path / "late.csv"])
    campaigns.build(workbook)
    assert rates(workbook, "spring")["open rate"] == (1, 1)
    assert workbook.query("campaigns.rejected_response").empty


def test_a_file_that_comes_twice_and_events_that_come_twice_count_once(mailer, tmp_path: Path) -> None:
    events: Events = [("m1", "a", "sent", 0), ("m1", "a", "delivered", 1), ("m1", "a", "opened", 9)]
    workbook = mailer(events)
    before = workbook.query("campaigns.fact_campaign_rate")
    copy = tmp_path / "copy.csv"
    copy.write_bytes((tmp_path / "mail" / "000.csv").read_bytes())
    assert ingest.ingest_files(workbook, "email_events", [copy])[0].status == "already ingested"
    mailer([*events, ("m1", "a", "opened", 99)])  # the same three, and a second open
    rejected = ingest.batches(workbook)[-1]
    assert (rejected.rows_read, rejected.rows_accepted) == (4, 1)
    pd.testing.assert_frame_equal(workbook.query("campaigns.fact_campaign_rate"), before)


def test_only_messages_of_new_batches_are_read(mailer) -> None:
    mailer([(f"m{n}", "a", "sent", n) for n in range(9)])
    workbook = mailer([("m3", "a", "delivered", 50)])
    with workbook.engine.write() as session:
        session.run("UPDATE lake.email_events SET campaign = 'changed behind its back' WHERE message_id = 'm1'")
    mailer([("m4", "a", "delivered", 50)])
    found = workbook.query("derived.email_message").set_index("message_id")
    assert found.loc[["m3", "m4"], "delivered"].tolist() == [1, 1]
    assert found.loc["m1", "campaign"] == "spring"


def test_rates_have_every_kpi_and_no_other(airline: Workbook) -> None:
    assert set(airline.query("campaigns.fact_campaign_rate")["kpi"]) == set(airline.query("campaigns.dim_kpi")["kpi"])
    rows = airline.query("campaigns.fact_campaign_rate")
    assert (rows["numerator"] <= rows["denominator"]).all()
    assert not rows[rows["denominator"] > 0][["rate", "low", "high"]].isna().any(axis=None)
    assert ((rows["low"] <= rows["rate"] + 1e-12) & (rows["rate"] <= rows["high"] + 1e-12) | rows["rate"].isna()).all()


def test_deciles_at_sending_are_those_of_the_profile(airline: Workbook) -> None:
    """As of the first of the month in which a campaign was sent, the profile ranked customers the same."""
    with airline.engine.read() as session:
        days = session.frame("SELECT * FROM derived.customer_day")
        found = session.frame("SELECT * FROM derived.decile_at_sending")
    month = found["month"].max()
    values = days[days["day"] < month].groupby("customer_id")["value"].sum()
    import hashlib

    order = sorted(values.index, key=lambda each: (-values[each], hashlib.md5(each.encode()).hexdigest()))
    size, extra = divmod(len(order), 10)
    sizes = [size + (tenth < extra) for tenth in range(10)]
    expected = dict(zip(order, (tenth for tenth, count in enumerate(sizes, 1) for _ in range(count)), strict=True))
    latest = found[found["month"] == month]
    assert len(latest) > 100
    assert latest["decile"].tolist() == [expected[each] for each in latest["customer_id"]]


def test_workbook_without_mail_is_skipped_with_a_reason(outputs, tmp_path) -> None:
    workbook = Workbook.open(write_shop(tmp_path))
    with pytest.raises(StageSkipped, match=r"no e-mail events \(sources.email_events in its params\)"):
        campaigns.build(workbook)


def test_without_a_user_agent_people_are_not_told_from_machines(mailer) -> None:
    events = [("m1", "a", kind, at) for at, kind in enumerate(("sent", "delivered", "opened"))]
    workbook = mailer(events, agent=None)
    found = {rate["kpi"]: rate for rate in campaigns.results(workbook, "spring")[0]["rates"]}
    assert "open rate" not in found
    assert "click-to-open rate" not in found
    assert found["open rate with machines"]["rate"] == 1
    assert workbook.query("campaigns.fact_campaign_result")[["opened", "open_rate"]].isna().all(axis=None)
    said = campaigns.summary(workbook).bundle["text/plain"]
    assert said == (
        "<11 of <11 accepted messages were opened, by people or by machines: without a user agent it cannot be told "
        "(spring)."
    )
    mailer([("m2", "b", kind, at) for at, kind in enumerate(("sent", "delivered", "opened"))], campaign="autumn")
    assert campaigns.summary(workbook).bundle["text/plain"].startswith("People opened <11 of <11 accepted messages;")
    assert rates(workbook, "autumn")["open rate"] == (1, 1)


def test_buckets_hold_every_campaign_once(airline: Workbook) -> None:
    buckets, results = (airline.query(f"campaigns.fact_campaign_{name}") for name in ("bucket", "result"))
    assert buckets["campaigns"].sum() == results["campaign"].nunique()
    assert buckets["opened"].sum() == results["opened"].sum()
    assert math.isclose(buckets["sent"].sum(), results["sent"].sum())
