"""`clv audience`: for people a few lines, for machines one JSON object; what is wrong is one sentence."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clv_helpers import audiences, ingest, models
from clv_helpers.cli import app
from clv_helpers.config.validation import ParamsError
from clv_helpers.config.workbook import Workbook
from conftest import write_shop

RULE = """title: Quoted
rule:
  all:
    - {field: customer_id, op: in, value: [a, "x'; DROP"]}
    - {field: frequency, op: exists}
"""


@pytest.fixture
def params(tmp_path: Path, outputs: Path) -> Path:
    file = write_shop(tmp_path / "p")
    (tmp_path / "p" / "shop" / "audiences").mkdir(parents=True)
    (tmp_path / "p" / "shop" / "audiences" / "quoted.yml").write_text(RULE, encoding="utf-8")
    workbook = Workbook.open(file)
    ingest.ingest_files(workbook)
    models.refresh(workbook, "derived", "profile")
    audiences.evaluate(workbook)
    return file


def said(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["audience", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_for_people(params: Path) -> None:
    assert "1 of 3 customers (33.3%)" in said(params, "count", "quoted")
    assert "1 left,            2 removed" in said(params, "count", "quoted")
    head, row = said(params, "list").splitlines()
    assert head == "1 audience, 1 of them evaluated; customers in each:"
    assert re.fullmatch(r"quoted +1  Quoted +Customers whose customer id is one of.*", row)
    assert "1 customers: 0 realized, 0 exited" in said(params, "evaluate", "quoted")


def test_for_machines(params: Path) -> None:
    counted = json.loads(said(params, "count", "quoted", "--json"))
    assert (counted["count"], counted["customers"], counted["exact"]) == (1, 3, True)
    assert [step["left"] for step in counted["funnel"]] == [1, 1]
    assert json.loads(said(params, "list", "--json"))["audiences"][0]["audience"] == "quoted"
    assert json.loads(said(params, "show", "quoted", "--as", "definition", "--json"))["text"]["name"] == "quoted"


@pytest.mark.parametrize("form", ["text", "sql", "spark", "pql", "pql-json", "definition", "yaml"])
def test_every_form(params: Path, form: str) -> None:
    assert said(params, "show", "quoted", "--as", form).strip()


def test_a_name_is_needed(params: Path) -> None:
    with pytest.raises(ParamsError, match="the audience's name is missing; allowed: clv audience PARAMS count NAME"):
        said(params, "count")
