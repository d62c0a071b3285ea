"""What notebook 6 shows: findings in the titles, intervals about zero, the truth on a simulated workbook alone."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from clv_helpers import campaigns, ingest, simulate
from clv_helpers.campaigns import effect_charts
from clv_helpers.charts import CHART_MIME
from clv_helpers.config.workbook import Workbook
from conftest import write_shop

ROWS = [
    {"campaign": "a", "cuped": 4.2, "cuped_low": 1.1, "cuped_high": 7.3},
    {"campaign": "b", "cuped": 0.2, "cuped_low": -1.1, "cuped_high": 1.5},
]


def specs(shown: list) -> list[dict]:
    return [each.bundle[CHART_MIME] for each in shown if CHART_MIME in each.bundle]


def marks(spec: dict) -> list[str]:
    return [layer["mark"]["type"] for layer in spec["layer"]]


def test_effects_are_points_with_intervals_about_a_line_at_zero() -> None:
    spec = effect_charts.by_campaign(ROWS, "a added 4.2 EUR", "EUR").bundle[CHART_MIME]
    assert marks(spec) == ["rule", "rule", "point"]
    assert spec["layer"][0]["data"]["values"] == [{"zero": 0}]
    interval = spec["layer"][1]["encoding"]
    assert (interval["x"]["field"], interval["x2"]["field"]) == ("cuped_low", "cuped_high")
    assert [row["state"] for row in spec["data"]["values"]] == ["leaves out zero", "holds zero"]
    assert spec["title"]["text"] == "a added 4.2 EUR"


def test_planted_effects_are_drawn_where_they_are_known() -> None:
    rows = [{**row, "planted": planted} for row, planted in zip(ROWS, (4.0, 0.0), strict=True)]
    spec = effect_charts.by_campaign(rows, "t", "EUR").bundle[CHART_MIME]
    assert [row["planted"] for row in spec["layer"][-1]["data"]["values"]] == [4.0, 0.0]


def test_the_truth_is_shown_for_a_simulated_workbook_alone(workbook: Workbook, outputs: Path, tmp_path: Path) -> None:
    truth = simulate.truth(workbook)
    assert set(truth["campaign_effects"]) == set(simulate.PLANTED)
    shown = campaigns.planted(workbook, truth)
    assert "hold what the simulator planted" in shown[-1].bundle["text/plain"]
    assert all(marks(spec)[-1] == "point" and len(marks(spec)) == 4 for spec in specs(campaigns.lift(workbook, truth)))
    assert simulate.truth(Workbook.open(write_shop(tmp_path))) == {}
    assert campaigns.planted(workbook, {}) == []
    assert all(len(marks(spec)) == 3 for spec in specs(campaigns.lift(workbook)))


def test_notebook_outputs_name_nobody_and_no_group_of_few(airline: Workbook) -> None:
    shown = [*campaigns.rates(airline), *campaigns.effects(airline), *campaigns.next_steps(airline)]
    shown += [*campaigns.checks(airline), campaigns.reach(airline), campaigns.rejected(airline)]
    text = "".join(each.bundle["text/html"] for each in shown)
    assert "M0000" not in text and "@" not in text
    few = airline.query("campaigns.fact_campaign_result")
    few = few[few["sent"] < airline.params.min_cell]
    assert len(few) > 0
    assert "are left out" in text


def test_each_rate_of_the_glossary_is_shown(airline: Workbook) -> None:
    shown = campaigns.rates(airline)[2].bundle["text/html"]
    for kpi in airline.query("campaigns.dim_kpi")["kpi"]:
        assert f"<td>{kpi}</td>" in shown
        assert f"<td>{kpi}</td>" in campaigns.glossary(airline).bundle["text/html"]


def test_addresses_shared_by_both_arms_are_counted_and_told(workbook: Workbook, tmp_path: Path) -> None:
    drawn = workbook.query("campaigns.assignment", order_by="customer_id", campaign="double-miles")
    pair = drawn.groupby("arm")["customer_id"].first()
    family = pd.DataFrame({"customer_id": pair.to_list(), "email": "Family@example.com"})
    family.to_csv(tmp_path / "family.csv", index=False)
    ingest.ingest_files(workbook, "customers", [tmp_path / "family.csv"])
    campaigns.build(workbook)
    rows = workbook.query("campaigns.shared_address").set_index("campaign")["customers"]
    assert rows["double-miles"] == 2
    told = campaigns.checks(workbook)[-1].bundle["text/plain"]
    assert "share an e-mail address with one of the other arm" in told
    assert "double-miles 2" in told


def test_messages_to_those_held_back_are_told(workbook: Workbook, tmp_path: Path) -> None:
    drawn = workbook.query("campaigns.assignment", order_by="customer_id", campaign="double-miles", arm="control")
    customer = drawn["customer_id"].iloc[0]
    sent = {
        "event_id": "x-1", "message_id": "x-1", "campaign": "double-miles", "customer_id": customer,
        "event_type": "sent", "occurred_at": "2024-08-08 10:00:00",
    }  # fmt: skip
    pd.DataFrame([sent]).to_csv(tmp_path / "stray.csv", index=False)
    ingest.ingest_files(workbook, "email_events", [tmp_path / "stray.csv"])
    campaigns.build(workbook)
    row = workbook.query("campaigns.fact_lift", campaign="double-miles", audience="ALL").iloc[0]
    assert "1 message went to customers who were to be held back" in row["warnings"]
