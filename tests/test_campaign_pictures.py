"""What notebook 6 shows: findings in the titles, intervals about zero, the truth on a simulated workbook alone."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from source_files import write_source

from clv_helpers import campaigns, ingest, simulate
from clv_helpers.campaigns import effect_charts, estimates, tables
from clv_helpers.campaigns.effect_charts import EffectMark
from clv_helpers.campaigns.estimates import Interval
from clv_helpers.charts import CHART_MIME
from clv_helpers.charts.show import Output
from clv_helpers.config.workbook import Workbook
from conftest import on_same_tables, write_shop

MARKS = [EffectMark("a", Interval(4.2, 1.1, 7.3)), EffectMark("b", Interval(0.2, -1.1, 1.5))]


def specs(output: Output) -> list[dict]:
    return [part.bundle[CHART_MIME] for part in output.parts if CHART_MIME in part.bundle]


def values(spec: dict, layer: int) -> list[dict]:
    """The rows that a layer draws."""
    data = spec["layer"][layer].get("data", spec.get("data"))
    return spec["datasets"][data["name"]]


def html(*outputs: Output) -> str:
    parts = [part for output in outputs for part in output.parts or (output,)]
    return "".join(part.bundle.get("text/html", "") for part in parts)


def marks(spec: dict) -> list[str]:
    return [layer["mark"]["type"] for layer in spec["layer"]]


def test_effects_are_points_with_intervals_about_a_line_at_zero() -> None:
    spec = effect_charts.by_campaign(MARKS, "a added 4.2 EUR", "EUR per member").bundle[CHART_MIME]
    assert marks(spec) == ["rule", "rule", "point"]
    assert values(spec, 0) == [{"zero": 0}]
    interval = spec["layer"][1]["encoding"]
    assert (interval["x"]["field"], interval["x2"]["field"]) == ("low", "high")
    assert [row["state"] for row in values(spec, 1)] == ["clear gain", "not clear"]
    assert spec["title"] == {
        "text": "a added 4.2 EUR",
        "subtitle": "Revenue added, in EUR per member, with 95% interval",
    }


def test_ground_truth_is_drawn_where_it_is_known() -> None:
    rows = [EffectMark(mark.of, mark.effect, truth) for mark, truth in zip(MARKS, (4.0, 0.0), strict=True)]
    spec = effect_charts.by_campaign(rows, "t", "EUR").bundle[CHART_MIME]
    assert marks(spec)[-1] == "point"
    assert [row["truth"] for row in values(spec, -1)] == [4.0, 0.0]
    assert spec["layer"][-1]["encoding"]["color"]["scale"]["domain"][-1] == "true value (simulated)"


def test_charts_by_decile_share_a_scale_and_tell_a_loss() -> None:
    charts = [[EffectMark(1, Interval(4.0, 1.0, 9.0))], [EffectMark(1, Interval(-2.0, -3.0, -1.0))]]
    scale = effect_charts.common_scale(charts)
    drawn = [effect_charts.by_decile(rows, "t", "EUR", scale=scale).bundle[CHART_MIME] for rows in charts]
    assert scale == (-3.0, 9.0)
    assert {tuple(spec["layer"][1]["encoding"]["y"]["scale"]["domain"]) for spec in drawn} == {scale}
    assert values(drawn[1], 1)[0]["state"] == "clear loss"


def test_the_truth_is_shown_for_a_simulated_workbook_alone(
    workbook: Workbook, outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimates, "FEWEST_BUYERS", 6)  # the small airline has fewer than an interval needs
    monkeypatch.setattr(tables, "_version", lambda *_: "of this test")  # or nothing is said to have changed
    campaigns.build(workbook)
    truth = simulate.truth(workbook)
    assert set(truth["campaign_effects"]) == set(simulate.TRUE_EFFECTS)
    assert "hold the ground truth" in campaigns.ground_truth(workbook, truth).bundle["text/plain"]
    drawn = specs(campaigns.effects(workbook, truth))
    assert drawn
    assert all(marks(spec)[-1] == "point" and len(marks(spec)) == 4 for spec in drawn)
    assert simulate.truth(Workbook.open(write_shop(tmp_path))) == {}
    assert campaigns.ground_truth(workbook, {}).parts == ()
    assert all(len(marks(spec)) == 3 for spec in specs(campaigns.effects(workbook)))


def test_views_speak_of_members_and_of_treated_and_control(airline: Workbook) -> None:
    views = (campaigns.effects, campaigns.effect_table, campaigns.checks, campaigns.next_steps)
    views += (campaigns.rates, campaigns.delivery_funnel, campaigns.rejected)
    outputs = [part for view in views for part in view(airline).parts or (view(airline),)]
    texts = " ".join(str(part.bundle) for part in outputs)
    assert "EUR per member" in texts
    assert "Treated" in texts
    for text in [part.bundle.get("text/html", part.bundle["text/plain"]) for part in outputs]:
        assert not re.search(r"customer|held back|drawn|planted", text), text


def test_notebook_outputs_name_nobody_and_no_group_of_few(airline: Workbook) -> None:
    airline = on_same_tables(airline, min_cell=16)
    views = (campaigns.rates, campaigns.effect_table, campaigns.next_steps, campaigns.checks)
    text = html(*(view(airline) for view in (*views, campaigns.delivery_funnel, campaigns.rejected)))
    assert "M0000" not in text
    assert not re.search(r"\w@\w", text)
    few = airline.query("campaigns.fact_campaign_result")
    few = few[few["sent"] < airline.params.min_cell]
    assert len(few) > 0
    assert "are left out" in text


def test_each_rate_of_the_glossary_is_shown(airline: Workbook) -> None:
    details = html(campaigns.rates(airline).parts[2])
    for kpi in airline.query("campaigns.dim_kpi")["kpi"]:
        assert f"<td>{kpi}</td>" in details
        assert f"<td>{kpi}</td>" in html(campaigns.glossary(airline))


def test_addresses_shared_by_both_arms_are_counted(workbook: Workbook, tmp_path: Path) -> None:
    assigned = workbook.query("campaigns.customer_assignment", order_by="customer_id", campaign="double-miles")
    pair = assigned.groupby("arm")["customer_id"].first()
    family = pd.DataFrame({"customer_id": pair.to_list(), "email": "Family@example.com"})
    ingest.ingest_files(workbook, "customers", [write_source(workbook, "customers", family, tmp_path / "family.csv")])
    campaigns.build(workbook)
    rows = workbook.query("campaigns.shared_address").set_index("campaign")["customers"]
    assert rows["double-miles"] == 2
    text = campaigns.checks(workbook).bundle["text/plain"]
    assert "Members who share an e-mail address with one of the other arm" in text
    assert "double-miles <11" in text


def test_messages_to_the_control_group_are_warned_of(workbook: Workbook, tmp_path: Path) -> None:
    assigned = workbook.query(
        "campaigns.customer_assignment", order_by="customer_id", campaign="double-miles", arm="control"
    )
    customer = assigned["customer_id"].iloc[0]
    sent = {
        "event_id": "x-1", "message_id": "x-1", "campaign": "double-miles", "customer_id": customer,
        "event_type": "sent", "occurred_at": "2024-08-08 10:00:00",
    }  # fmt: skip
    stray = write_source(workbook, "email_events", pd.DataFrame([sent]), tmp_path / "stray.csv")
    ingest.ingest_files(workbook, "email_events", [stray])
    campaigns.build(workbook)
    row = workbook.query("campaigns.fact_effect", campaign="double-miles", audience="ALL").iloc[0]
    assert "<11 messages went to members of the control group" in row["warnings"]
