"""The report's first page: the weightiest findings first, each with its link; warnings whatever they weigh."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from clv_helpers.charts import CHART_MIME, show
from clv_helpers.charts.show import Metric, Output
from clv_helpers.report.content import Content, Finding, collect
from clv_helpers.report.decision import MOST_FINDINGS, decision_page
from clv_helpers.report.run_record import RunRecord, StageRecord

BOARD = {"name": "forecast", "title": "Value to come", "description": "", "cards": [], "filters": []}


def record(**given: Any) -> RunRecord:
    stages = [StageRecord(1, "1_derived_dataset", "done")]
    return RunRecord("1", "shop", "shop.yml", "", {}, {"title": "Shop"}, "", {}, "2026-01-05", stages, **given)


def kept(folder: Path, *cells: list[Output]) -> Content:
    """What a run's notebook of these cells is collected to."""
    folder.mkdir(exist_ok=True)
    written = [
        {
            "cell_type": "code",
            "source": "",
            "outputs": [{"data": part.bundle} for o in cell for part in o.parts or (o,)],
        }
        for cell in cells
    ]
    (folder / "1_derived_dataset.ipynb").write_text(json.dumps({"cells": written}), encoding="utf-8")
    return collect(record(), folder)


def chart(title: str) -> Output:
    return Output({CHART_MIME: {"title": {"text": title}, "usermeta": {"width": "half"}}})


def test_findings_stand_by_the_money_at_stake_with_their_links(tmp_path: Path) -> None:
    content = kept(
        tmp_path,
        [show.finding("It was opened.", topic="opens")],
        [show.finding("Some are late.", topic="overdue", stake=100, board="gone"), show.note("More.")],
        [show.finding("A long account.", topic="plan", stake=9e5, board="forecast", brief="Much will come.")],
        [show.finding("Nobody may be meant.", topic="account", warning=True)],
        [Output({show.BOARD_MIME: BOARD})],
    )
    page = decision_page(record(as_of_day="2026-01-05"), content)
    assert page.day == "5 January 2026"
    assert [told.text for told in page.findings] == ["Much will come.", "Some are late.", "It was opened."]
    assert [told.link for told in page.findings] == ["#board-forecast", "#finding-2", "#finding-1"]
    assert [told.where for told in page.findings][:2] == ["Value to come", "How it is computed"]
    assert [told.text for told in page.warnings] == ["Nobody may be meant."]


def test_only_so_many_findings_and_a_warning_is_never_among_those_left_out() -> None:
    many = [Finding(f"Finding {n}.", topic=f"t{n}", stake=n) for n in range(20)]
    page = decision_page(record(), Content(findings=[*many, Finding("Careful.", warning=True)]))
    assert [told.stake for told in page.findings] == sorted(range(20 - MOST_FINDINGS, 20), reverse=True)
    assert len(page.warnings) == 1


def test_figures_of_the_year_come_first_and_as_of_is_none() -> None:
    metrics = [{"label": label, "value": "1", "topic": topic} for label, topic in (
        ("as of", "as_of"), ("members", "customers"), ("value", "predicted_value"), ("revenue", "spend_52_weeks"),
    )]  # fmt: skip
    page = decision_page(record(), Content(metrics=metrics))
    assert [figure["label"] for figure in page.figures] == ["revenue", "value", "members"]


def test_a_chart_is_of_the_findings_before_it_in_its_cell(tmp_path: Path) -> None:
    drawn = show.CustomerList("Late", "Who is late", "30 members", "9 EUR each")
    two = [show.finding(f"Campaign {n}.", topic=f"effect: {n}", stake=n) for n in (1, 2)]
    listed = show.with_lists(show.table([{"a": 1}], a="A", people=None), drawn)
    content = kept(tmp_path, [*two, chart("by campaign"), chart("by decile")], [chart("alone")], [listed])
    page = decision_page(record(), content)
    assert [each["title"] for each in page.charts] == ["by campaign"]
    assert [each["title"] for each in page.lists] == ["Late"]


def test_the_notebook_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    content = kept(
        tmp_path, [Output({show.FINDING_MIME: ["34% came ", "back."], "text/html": "<p>34% came back.</p>"})]
    )
    assert [told.text for told in decision_page(record(), content).findings] == ["34% came back."]
    assert content.findings[0].key == Finding("35.5% came back.").key


def test_a_metric_says_its_change() -> None:
    assert (
        "<span class='change'>+3% on the year before</span><span>net</span>"
        in show.metrics(Metric("r", "1", "net", change="+3% on the year before")).bundle["text/html"]
    )
