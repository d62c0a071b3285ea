"""The report's first page, for the reader who decides: what happened, what will, what to do.

It is a choice from what the notebooks show: key figures, the weightiest findings and their charts, whom to act on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clv_helpers.report.content import Content, Finding
from clv_helpers.report.run_record import RunRecord

MOST_FIGURES, MOST_FINDINGS, MOST_CHARTS, MOST_LISTS = 4, 7, 6, 3
KEY_FIGURES = ("spend_52_weeks", "customers_52_weeks", "new_customers_52_weeks", "predicted_value")  # before all others
AS_OF = "as_of"


@dataclass(frozen=True)
class Told:
    """A finding of the first page: its sentence, the money at stake, and where the report shows more: #anchor, name."""

    text: str
    stake: float
    link: str
    where: str
    key: str


@dataclass(frozen=True)
class DecisionPage:
    """What the first page holds; `findings` with the most money at stake come first, `warnings` before them all.

    A figure has label, value, change and note; a chart title, subtitle and spec (Vega-Lite) or html; a list of whom to
    act on title, description, people and value. All are texts or aggregates that may leave.
    """

    title: str
    day: str
    figures: list[dict[str, Any]]
    warnings: list[Told]
    findings: list[Told]
    charts: list[dict[str, Any]]
    lists: list[dict[str, str]]


def decision_page(record: RunRecord, content: Content) -> DecisionPage:
    """The first page of a run's report.

    Example (a run's record and folder come from `clv_helpers.report.run_record.find`):
        decision_page(record, collect(record, folder)).findings[0].text
    """
    findings = _weightiest([found for found in content.findings if not found.warning])
    charts = {id(chart): chart for found in findings for chart in found.charts}
    return DecisionPage(
        title=record.params["title"],
        day=record.day,
        figures=_figures(content.metrics),
        warnings=[_told(found, content) for found in content.findings if found.warning],
        findings=[_told(found, content) for found in findings],
        charts=list(charts.values())[:MOST_CHARTS],
        lists=content.lists[:MOST_LISTS],
    )


def _weightiest(findings: list[Finding]) -> list[Finding]:
    """Those with the most money at stake first; of those about no money, as they stand."""
    return sorted(findings, key=lambda found: -found.stake)[:MOST_FINDINGS]


def _figures(metrics: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The key figures of the last year and of the next; where they are not known, what there is."""
    told = {topic: each for each in metrics if (topic := each.get("topic", "")) in KEY_FIGURES}
    chosen = [told[topic] for topic in KEY_FIGURES if topic in told]
    others = [each for each in metrics if each.get("topic", "") not in (AS_OF, *KEY_FIGURES)]
    return [*chosen, *others][:MOST_FIGURES]


def _told(found: Finding, content: Content) -> Told:
    boards = {board.anchor: board.title for board in content.boards}
    anchor = f"board-{found.board}" if f"board-{found.board}" in boards else found.anchor
    return Told(found.told, found.stake, f"#{anchor}", boards.get(anchor, "How it is computed"), found.key)
