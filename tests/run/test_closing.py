"""A notebook's last words are computed, name keys that exist, and lead to a notebook that exists."""

from __future__ import annotations

import ast
import html
import re
from pathlib import Path

import pytest

from clv_helpers import derived
from clv_helpers.charts import show
from clv_helpers.config.destinations import Activation
from clv_helpers.config.workbook import Workbook
from clv_helpers.report.content import Content, Section, _add_output
from clv_helpers.run import build, closing
from clv_helpers.run.notebooks import NOTEBOOKS, STAGES


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(show, "TOLD", {})
    monkeypatch.setattr(closing, "TOLD", show.TOLD)


def says(shown: show.Output) -> list[str]:
    begin, found, _ = shown.bundle["text/html"].partition("<h2>What this says</h2>")
    part = shown.bundle["text/html"][len(begin) :].partition("</ul>")[0] if found else ""
    return [html.unescape(line) for line in re.findall(r"<li>(.*?)</li>", part)]


def test_it_says_what_was_found_doubts_first_then_the_most_money(airline: Workbook) -> None:
    show.finding("Of no money.", topic="a")
    show.finding("Much was 1.", topic="b", stake=10)
    show.finding("Of a doubt.", topic="c", warning=True)
    show.finding("Much was 2.", topic="b", stake=20, brief="Much.")  # the cell ran again
    assert says(closing.shown(airline, 1)) == ["Of a doubt.", "Much.", "Of no money."]


def test_what_was_found_before_its_stage_was_built_anew_is_not_said(airline: Workbook) -> None:
    show.finding("Of the day before.", topic="a")
    build.insights(airline)
    show.finding("Of this day.", topic="b")
    assert says(closing.shown(airline, 2)) == ["Of this day."]


def test_it_says_what_the_cells_said(airline: Workbook) -> None:
    found = derived.top_decile(airline)
    assert says(closing.shown(airline, 1)) == [found.bundle["text/plain"]]


def test_without_a_finding_nothing_is_said(airline: Workbook) -> None:
    shown = closing.shown(airline, 2)
    assert "What this says" not in shown.bundle["text/html"]
    assert "What to try" in shown.bundle["text/html"]


def test_a_notebook_of_boards_says_what_they_say(airline: Workbook) -> None:
    assert any(re.match(r"The best tenth brings \d+% of all miles", line) for line in says(closing.shown(airline, 3)))
    assert not any("{" in line for line in says(closing.shown(airline, 4)))


@pytest.mark.parametrize("stage", STAGES)
def test_what_to_try_can_be_tried_and_next_is_there(airline: Workbook, stage: int) -> None:
    shown = closing.shown(airline, stage).bundle["text/html"]
    for code in map(html.unescape, re.findall(r"<code>(.*?)</code>", shown)):
        name, equals, value = code.partition(" = ")
        if equals:
            given = {name: ast.literal_eval(value)}
            Workbook.open(airline.file, **given)
    (link,) = re.findall(r'href="(.*?)"', shown)
    assert (NOTEBOOKS / link).exists()
    assert f"closing.shown(wb, {stage})" in (NOTEBOOKS / f"{STAGES[stage]}.ipynb").read_text("utf-8")


def test_keys_of_an_activation_are_those_of_the_params() -> None:
    named = {key for text in closing.TRY[5] for key in re.findall(r"`(\w+):", text)}
    assert named <= set(Activation.model_fields)


def test_the_report_leaves_it_out(airline: Workbook, tmp_path: Path) -> None:
    section, content = Section(1, "Stage 1"), Content()
    _add_output(section, closing.shown(airline, 1).bundle, content)
    assert (section.blocks, content.findings) == ([], [])
