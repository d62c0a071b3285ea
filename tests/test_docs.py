"""The README tells the truth: what it names exists, and what exists it names."""

from __future__ import annotations

import re
import shutil
import typing
from pathlib import Path

import pytest

from clv_helpers import audiences, dashboards, models
from clv_helpers.audiences.rule import KINDS, OPERATORS
from clv_helpers.audiences.when import FORMS
from clv_helpers.charts import MARKS, Channel, Widget
from clv_helpers.cli import app
from clv_helpers.config.datasets import ColumnType
from clv_helpers.config.params import CampaignSettings, Column, CsvFormat, Measure, Params, Source
from clv_helpers.config.validation import parse_value, validate
from clv_helpers.config.workbook import ROOT, Workbook
from clv_helpers.models.table_file import HEADERS, SQL_FOLDER, read_table

README = (ROOT / "README.md").read_text("utf-8")
OWN_DATA = (ROOT / "docs" / "own_data.md").read_text("utf-8")


def table_rows(heading: str) -> set[str]:
    section = README.partition(f"{heading}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([^`]+)`", section, flags=re.MULTILINE))


def test_commands() -> None:
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    section = README.partition("## Commands\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"`clv (\w+)", section)) == commands


def test_params_keys() -> None:
    assert table_rows("## Your own data") == set(Params.model_fields)


def test_rates() -> None:
    text = read_table(SQL_FOLDER / "campaigns" / "dim_kpi.sql").query.sql()
    rates = re.findall(r"'([a-z -]+ rate(?: with machines)?)'", text)
    assert len(rates) == 12
    for rate in rates:
        assert re.sub(" with machines", "", rate) in re.sub(r"\s+", " ", README)


def test_settings_of_campaigns() -> None:
    for key in CampaignSettings.model_fields:
        assert f"`{key}`" in README


def test_headers_of_own_tables() -> None:
    assert table_rows("## Tables of your own") == set(HEADERS)


def test_example_of_an_own_table_is_built(workbook: Workbook, tmp_path: Path) -> None:
    example = README.partition("## Tables of your own\n")[2].partition("```sql\n")[2].partition("```")[0]
    mine = Workbook(Path(shutil.copy(workbook.file, tmp_path / "airline.yml")), workbook.params)
    shutil.copytree(workbook.specs / "sql", mine.specs / "sql")
    (mine.specs / "sql" / "fact_region.sql").write_text(example)
    rows = {row.table: row for row in models.refresh(mine, "insights")}
    assert rows["insights.fact_region"].rows == rows["insights.fact_region_daily"].rows > 20


def test_operators() -> None:
    for operator in OPERATORS:
        assert f"`{operator}`" in README


def test_conditions_and_times() -> None:
    for key in [*KINDS, *FORMS, "ignore_year", "or_missing", "time_zone", "evaluation"]:
        assert f"`{key}" in README


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", README + OWN_DATA, flags=re.DOTALL))
def test_examples_are_valid(block: str) -> None:
    raw = parse_value(block)
    if set(raw) <= set(Params.model_fields):  # a whole params file, or some keys of one
        first = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)[0]
        validate(Params, raw if "sources" in raw else parse_value(first) | raw, "README.md")
    elif "widgets" in raw:
        validate(dashboards.Dashboard, raw, "README.md")
    else:
        validate(audiences.Audience, raw, "README.md")


def test_keys_of_a_widget() -> None:
    section = README.partition("## Dashboards\n")[2].partition("\n## ")[0]
    told = set(re.findall(r"`([a-z_0-9]+)`", section))
    assert set(Widget.model_fields) | set(Channel.model_fields) | set(MARKS) <= told


def test_first_example_has_14_lines() -> None:
    assert len(re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)[0].splitlines()) == 14


def test_files_and_make_targets_exist() -> None:
    for link in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README):
        assert (ROOT / link).is_file()
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"(?:`|^    )make ([a-z-]+)", README, flags=re.MULTILINE)) <= targets


def test_own_data_page_knows_every_type_and_key() -> None:
    for kind in typing.get_args(ColumnType):
        assert f"`{kind}`" in OWN_DATA
    for key in {**Source.model_fields, **Column.model_fields, **Measure.model_fields, **CsvFormat.model_fields}:
        if key not in ("source", "hint", "column", "type", "transaction_types"):
            assert re.search(rf"\b{key}\b", OWN_DATA), key
