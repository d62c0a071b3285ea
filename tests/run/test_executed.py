"""An executed notebook is kept without what shows a customer."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from clv_helpers.charts import CHART_MIME, Widget, draw
from clv_helpers.charts.vega import STILL_MIME, still, untitled
from clv_helpers.config.workbook import Workbook
from clv_helpers.report.last_look import LastLook
from clv_helpers.run.executed import TAKEN_OUT, settle

FINE = v4.new_output("display_data", {"text/html": "<p>600 members, 13,085 miles</p>", "image/png": "TTAwMDAwMDE="})


@pytest.fixture
def look(airline: Workbook) -> LastLook:
    return LastLook(airline)


def settled(look: LastLook, folder: Path, *cells: nbformat.NotebookNode) -> tuple[str, nbformat.NotebookNode]:
    part, file = folder / ".3_dashboard.part.ipynb", folder / "3_dashboard.ipynb"
    notebook = v4.new_notebook(cells=list(cells), metadata={"papermill": {"output_path": str(part)}})
    nbformat.write(notebook, part)
    sentence = settle(look, part, file)
    assert [found.name for found in folder.iterdir()] == [file.name]
    return sentence, nbformat.read(file, as_version=4)


def test_what_shows_nobody_stays(look: LastLook, tmp_path: Path) -> None:
    sentence, kept = settled(look, tmp_path, v4.new_markdown_cell("# Title"), v4.new_code_cell("run()", outputs=[FINE]))
    assert sentence == ""
    assert kept.cells[1].outputs == [FINE]
    assert str(tmp_path) not in json.dumps(kept)


@pytest.mark.parametrize(
    "leak",
    [
        v4.new_output("stream", text="the best is M0000001\n"),
        v4.new_output("execute_result", {"text/plain": "['M0000001']"}),
        v4.new_output("display_data", {"application/vnd.clv.board+json": {"title": "TTAwMDAwMDE="}}),
        v4.new_output("display_data", {"image/svg+xml": "<svg><text>M0000001</text></svg>"}),
    ],
)
def test_an_output_that_shows_a_customer_is_taken_out(look: LastLook, tmp_path: Path, leak: object) -> None:
    cells = [v4.new_code_cell(outputs=[FINE]), v4.new_code_cell("shown()", outputs=[FINE, leak])]
    sentence, kept = settled(look, tmp_path, *cells)
    assert sentence == "cell 2: its output showed a customer's number, and is left out: show aggregates there"
    assert kept.cells[1].outputs[0] == FINE
    assert kept.cells[1].outputs[1].data["text/plain"] == TAKEN_OUT


def test_sources_and_errors_are_told_without_the_customer(look: LastLook, tmp_path: Path) -> None:
    trace = ["\x1b[31mConversionException\x1b[0m: Could not convert 'M0000001'"]
    error = v4.new_output("error", ename="ConversionException", evalue="Could not convert 'M0000001'", traceback=trace)
    sentence, kept = settled(look, tmp_path, v4.new_code_cell("who = 'M0000001'"), v4.new_code_cell(outputs=[error]))
    assert sentence.startswith("cell 1: its source showed a customer's number")
    assert kept.cells[0].source == "who = '…'"
    assert kept.cells[1].outputs[0].evalue == "Could not convert '…'"
    assert "M0000001" not in json.dumps(kept)


def test_what_cannot_be_read_is_not_kept(look: LastLook, tmp_path: Path) -> None:
    part = tmp_path / ".3_dashboard.part.ipynb"
    part.write_text('{"cells": [')
    assert settle(look, part, tmp_path / "3_dashboard.ipynb") == "it could be written by half only, and is not kept"
    assert list(tmp_path.iterdir()) == []


def test_a_chart_is_seen_where_no_script_runs(airline: Workbook, look: LastLook, tmp_path: Path) -> None:
    """As a picture with its title, whose parts bear names that no other one on the page has."""
    fields = {"x": {"column": "decile"}, "y": {"column": "value"}, "title": "Value & share"}
    widgets = [{"table": "insights.fact_value_by_decile", "mark": mark, **fields} for mark in ("bar", "line")]
    only = {"filters": {"category": "ALL", "lookback": "12 months"}}
    charts = [draw(airline, Widget.model_validate(widget | only)).bundle for widget in widgets]
    outputs = [v4.new_output("display_data", bundle) for bundle in charts]
    _, kept = settled(look, tmp_path, v4.new_code_cell(outputs=outputs))
    stills = [output.data[STILL_MIME] for output in kept.cells[0].outputs]
    assert all("Value &amp; share" in picture and len(picture) < 30_000 for picture in stills)
    spec = {key: value for key, value in charts[0][CHART_MIME].items() if key not in ("title", "usermeta")}
    without = [re.sub(r"^<svg[^>]*>", "", picture) for picture in (untitled(stills[0]), still(spec))]
    assert without[0] == without[1]  # the report takes it, and drawn again it is the same to the byte
    names = [set(re.findall(r'id="([^"]+)"', picture)) for picture in stills]
    assert not names[0] & names[1]
