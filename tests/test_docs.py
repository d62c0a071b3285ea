"""The docs tell the truth: what they name exists, and what exists they name."""

from __future__ import annotations

import importlib.util
import re
import shutil
import tomllib
import typing
from pathlib import Path
from types import ModuleType

import pytest

from clv_helpers import audiences, dashboards, models
from clv_helpers.audiences.rule import KINDS
from clv_helpers.charts import MARKS, Channel, Widget
from clv_helpers.conditions.condition import OPERATORS
from clv_helpers.conditions.when import FORMS
from clv_helpers.config.datasets import ColumnType
from clv_helpers.config.params import Params
from clv_helpers.config.settings import CampaignSettings, Measure
from clv_helpers.config.sources import Column, CsvFormat, Source
from clv_helpers.config.validation import parse_value, validate
from clv_helpers.config.workbook import ROOT, Workbook
from clv_helpers.models.table_file import HEADERS, SQL_FOLDER, read_table

DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text("utf-8")
WRITTEN = {page.name: page.read_text("utf-8") for page in sorted(DOCS.glob("*.md"))} | {"README.md": README}
BLOCKS = [block for page in WRITTEN.values() for block in re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)]


@pytest.fixture(scope="module")
def made() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_pages", DOCS / "make_pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["reference.md", "tables.md", "api.md", "recipes.md"])
def test_made_pages_are_current(made: ModuleType, page: str) -> None:
    assert (DOCS / page).read_text("utf-8") == made.pages()[page], "run `make docs`"


def test_every_key_is_described(made: ModuleType) -> None:
    assert not re.findall(r"^\| `[^`]+` \|  \|", made.reference(), flags=re.MULTILINE)


def test_readme_fits_on_a_page() -> None:
    assert len(README.splitlines()) < 150


def test_links_and_make_targets_exist() -> None:
    for name, page in WRITTEN.items():
        folder = ROOT if name == "README.md" else DOCS
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page):
            assert (folder / link).exists(), f"{name}: {link}"
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    contributing = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    assert set(re.findall(r"(?:`|^    )make ([a-z-]+)", README + contributing, flags=re.MULTILINE)) <= targets


def test_architecture_shows_the_floors_that_are_held() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = [layer.replace("clv_helpers.", "") for layer in contracts[0]["layers"]]
    shown = WRITTEN["architecture.md"].partition("```\n")[2].partition("```")[0].splitlines()
    assert [set(re.findall(r"[a-z_]+", line.split("—")[0])) for line in shown] == [
        set(re.findall(r"[a-z_]+", layer)) for layer in layers
    ]


def test_architecture_names_files_that_exist() -> None:
    package = ROOT / "clv_helpers"
    for name in re.findall(r"`([a-z_]+/[a-z_/]+\.(?:py|sql|js|j2))`", WRITTEN["architecture.md"]):
        assert (package / name).exists(), name


@pytest.mark.parametrize("block", BLOCKS)
def test_examples_are_valid(block: str) -> None:
    raw = parse_value(block)
    if set(raw) <= set(Params.model_fields):  # a whole params file, or some keys of one
        first = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)[0]
        validate(Params, raw if "sources" in raw else parse_value(first) | raw, "docs")
    elif "widgets" in raw:
        validate(dashboards.Dashboard, raw, "docs")
    else:
        validate(audiences.Audience, raw, "docs")


def test_rates() -> None:
    text = read_table(SQL_FOLDER / "campaigns" / "dim_kpi.sql").query.sql()
    rates = re.findall(r"'([a-z -]+ rate(?: with machines)?)'", text)
    assert len(rates) == 12
    for rate in rates:
        assert re.sub(" with machines", "", rate) in re.sub(r"\s+", " ", WRITTEN["campaigns.md"])


def test_conditions_operators_and_times() -> None:
    for key in [*KINDS, *FORMS, *OPERATORS, "ignore_year", "or_missing", "time_zone", "evaluation"]:
        assert f"`{key}" in WRITTEN["audiences.md"], key


def test_keys_of_a_widget() -> None:
    named = set(re.findall(r"`([a-z_0-9]+)`", WRITTEN["dashboards.md"]))
    assert set(Widget.model_fields) | set(Channel.model_fields) | set(MARKS) <= named


def test_headers_of_own_tables() -> None:
    assert set(re.findall(r"^\| `([^`]+)`", WRITTEN["own_tables.md"], flags=re.MULTILINE)) == set(HEADERS)


def test_example_of_an_own_table_is_built(workbook: Workbook, tmp_path: Path) -> None:
    example = WRITTEN["own_tables.md"].partition("```sql\n")[2].partition("```")[0]
    mine = Workbook(Path(shutil.copy(workbook.file, tmp_path / "airline.yml")), workbook.params)
    shutil.copytree(workbook.specs / "sql", mine.specs / "sql")
    (mine.specs / "sql" / "fact_region.sql").write_text(example)
    models.refresh(mine, "insights")
    assert len(mine.query("insights.fact_region")) == len(mine.query("insights.fact_region_daily")) > 20


def test_own_data_page_knows_every_type_and_key() -> None:
    for kind in typing.get_args(ColumnType):
        assert f"`{kind}`" in WRITTEN["own_data.md"]
    fields = {**Source.model_fields, **Column.model_fields, **Measure.model_fields, **CsvFormat.model_fields}
    for key in [name.rstrip("_") for name in fields]:  # `is` is a word of Python's
        if key not in ("source", "hint", "column", "type", "transaction_types"):
            assert re.search(rf"\b{key}\b", WRITTEN["own_data.md"]), key


def test_settings_of_campaigns() -> None:
    for key in CampaignSettings.model_fields:
        assert f"`{key}`" in WRITTEN["reference.md"]
