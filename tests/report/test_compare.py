"""What changed: matched by what it is about, with its sign, and told from what a figure usually does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clv_helpers.report.compare import changes
from clv_helpers.report.content import Content, Finding
from clv_helpers.report.run_record import RunRecord
from clv_helpers.report.swing import usual

TRIED = 300


def run(day: str) -> RunRecord:
    return RunRecord("1", "shop", "shop.yml", "", {}, {"title": "S"}, "", {}, "2026-01-01", [], as_of_day=day)


def figure(value: str, number: float, weekly: list[float], label: str = "revenue") -> dict[str, Any]:
    return {"label": label, "value": value, "topic": "spend", "number": number, "weekly": weekly}


def shop(rng: np.random.Generator, weeks: int, shock: float = 0, trend: float = 0, season: float = 0) -> list[float]:
    """The revenue of 52 weeks at 105 weeks' ends; by a shock, that of the last weeks is another."""
    t = np.arange(156)
    each = 1000 * np.exp(rng.normal(0, 0.1, len(t)) + trend * t + season * np.sin(2 * np.pi * t / 52))
    each[-weeks:] *= 1 + shock
    return np.convolve(each, np.ones(52), "valid").tolist()


def is_more_than_usual(weekly: list[float], weeks: int) -> bool:
    low, high = usual(weekly, weeks)
    return not low <= weekly[-1] / weekly[-1 - weeks] - 1 <= high


@pytest.mark.parametrize("weeks", [1, 4, 8])
@pytest.mark.parametrize("kind", [{}, {"trend": 0.003}, {"season": 0.3}])
def test_what_swings_as_usual_is_called_a_change_in_one_case_of_twenty(weeks: int, kind: dict[str, float]) -> None:
    rng = np.random.default_rng(7)
    alarms = sum(is_more_than_usual(shop(rng, weeks, **kind), weeks) for _ in range(TRIED))
    assert alarms / TRIED < 0.09


def test_a_month_without_a_third_of_its_revenue_is_found() -> None:
    rng = np.random.default_rng(7)
    found = sum(is_more_than_usual(shop(rng, 4, shock=-0.33), 4) for _ in range(TRIED))
    assert found / TRIED > 0.9


def test_nothing_is_said_of_the_usual_without_enough_of_a_past() -> None:
    weekly = [100.0 + week % 3 for week in range(60)]
    assert usual(weekly[:9], 1) is None
    assert usual(weekly[:10], 1) is not None
    assert usual(weekly, 7) is None  # seven such stretches
    assert usual(weekly, 0) is None
    assert usual([0.0, *weekly], 1) is None


def test_a_figure_changes_with_its_sign_beside_its_usual_swing() -> None:
    weekly = [100.0 + week % 3 for week in range(60)]
    before = Content(metrics=[figure("100 EUR", 100, weekly)])
    now = Content(metrics=[figure("110 EUR", 110, [*weekly, 110.0], "turnover"), {"label": "new", "value": "7"}])
    told = changes(run("2025-12-01"), before, run("2025-12-08"), now).figures
    assert [(change.what, change.before, change.now) for change in told] == [
        ("turnover", "100 EUR", "110 EUR"), ("new", "–", "7"),
    ]  # fmt: skip
    assert told[0].by.startswith("+10.0%, more than its usual weekly swing (-")
    later = changes(run("2025-12-01"), before, run("2026-12-08"), now).figures
    assert later[0].by == "+10.0%"  # a year is not judged by two
    few = Content(metrics=[figure("101 EUR", 101, [*weekly, 101.0])])
    assert "+1.0%, within its usual" in changes(run("2025-12-01"), before, run("2025-12-08"), few).figures[0].by


def test_findings_are_matched_by_what_they_are_about() -> None:
    late, opened = Finding("30 are late.", topic="overdue", stake=100), Finding("28% were opened.")
    before = Content(findings=[late, opened, Finding("It rained.", topic="rain")])
    now = Content(
        findings=[
            Finding("double added 9.", topic="effect: double"),
            Finding("29% were opened."),
            Finding("33 are late.", topic="overdue", stake=150),
        ]
    )
    told = {change.what: change for change in changes(run(""), before, run(""), now).findings}
    assert (told["overdue"].before, told["overdue"].now) == ("30 are late.", "33 are late.")
    assert told["overdue"].by == "+50.0% at stake"
    assert told[opened.key].now == "29% were opened."
    assert told["effect: double"].by == "new"
    assert told["rain"].by == "not said any more"
    same = changes(run(""), before, run(""), Content(findings=list(reversed(before.findings))))
    assert same.findings == []
    assert same.same == 3
