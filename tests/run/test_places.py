"""Where things lie: outputs beside the params file, notebooks for a workbook, params found from any folder."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

import clv_helpers
from clv_helpers.charts.vega import vega_bundle
from clv_helpers.cli import app
from clv_helpers.config.validation import ParamsError
from clv_helpers.config.workbook import ROOT, Workbook, notebooks_folder, outputs_folder
from clv_helpers.run import lab
from clv_helpers.run.notebooks import STAGES
from conftest import write_shop


def test_outputs_lie_beside_the_params_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLV_OUTPUTS_DIR", raising=False)
    assert outputs_folder(tmp_path / "shop.yml") == tmp_path / "outputs"
    assert outputs_folder(ROOT / "params" / "airline.yml") == ROOT / "outputs"
    assert Workbook.open(write_shop(tmp_path)).folder == tmp_path / "outputs" / "shop"
    monkeypatch.setenv("CLV_OUTPUTS_DIR", str(tmp_path / "elsewhere"))
    assert outputs_folder(tmp_path / "shop.yml") == tmp_path / "elsewhere"


def test_a_notebook_finds_its_params_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Workbook.open("../params/airline.yml").file == ROOT / "params" / "airline.yml"
    (tmp_path / "airline.yml").write_text((ROOT / "params" / "airline.yml").read_text("utf-8"), "utf-8")
    assert Workbook.open("airline.yml").file == Path("airline.yml")  # what is written comes first


def test_params_that_are_nowhere_name_both_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParamsError) as error:
        Workbook.open("../params/nope.yml")
    assert str(error.value).startswith(
        f"../params/nope.yml: the file is not in {tmp_path.parent / 'params'}, nor in {ROOT / 'params'}; allowed: "
    )
    assert "clv lab PARAMS" in str(error.value)


def test_an_installed_package_brings_its_notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("clv_helpers.config.workbook")
    assert notebooks_folder() == ROOT / "notebooks"
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setattr(module, "PACKAGE", tmp_path)
    assert notebooks_folder() == tmp_path / "notebooks"


def test_the_script_of_the_charts_is_kept_in_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: tmp_path / "cache")
    script = vega_bundle()
    (kept,) = (tmp_path / "cache").iterdir()
    assert kept.read_text("utf-8") == script == vega_bundle()


def test_lab_opens_copies_for_the_workbook(outputs: Path, tmp_path: Path) -> None:
    shop = Workbook.open(write_shop(tmp_path / 'a "folder"'))
    folder = lab.prepare(shop)
    assert sorted(file.stem for file in folder.iterdir()) == ["0_your_data", *sorted(STAGES.values())]
    notebook = nbformat.read(folder / "1_derived_dataset.ipynb", as_version=4)
    names: dict[str, object] = {}
    exec(next(cell.source for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])), names)
    assert Workbook.open(str(names["params_file"])).params == shop.params
    assert names["as_of"] == ""
    first = nbformat.read(folder / "0_your_data.ipynb", as_version=4)
    exec(next(cell.source for cell in first.cells if "parameters" in cell.metadata.get("tags", [])), names)
    assert names["name"] == str((tmp_path / 'a "folder"' / "my_shop").resolve())


def test_lab_keeps_what_a_person_edited(outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Workbook.open(write_shop(tmp_path))
    folder = lab.prepare(shop)
    edited, untouched = folder / "1_derived_dataset.ipynb", folder / "2_insights_model.ipynb"
    notebook = nbformat.read(edited, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell("mine = 1"))
    nbformat.write(notebook, edited)
    before = [file.read_text() for file in (edited, untouched)]
    lab.prepare(shop)
    assert [file.read_text() for file in (edited, untouched)] == before
    newer = tmp_path / "newer"
    newer.mkdir()
    for file in notebooks_folder().glob("*.ipynb"):
        (newer / file.name).write_text(file.read_text("utf-8").replace("## The model", "## The new model"), "utf-8")
    monkeypatch.setattr(lab, "NOTEBOOKS", newer)
    lab.prepare(shop)
    assert edited.read_text() == before[0]
    assert "The new model" in untouched.read_text()


def test_lab_passes_options_on(outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    monkeypatch.setattr(lab, "start", lambda folder, options: started.append((folder, options)) or 0)
    done = CliRunner().invoke(app, ["lab", str(write_shop(tmp_path)), "--no-browser", "--port", "9999"])
    assert done.exit_code == 0, done.output
    assert started == [(outputs / "shop" / "lab", ["--no-browser", "--port", "9999"])]


def test_version() -> None:
    assert re.search(rf"\b{re.escape(clv_helpers.__version__)}\b", CliRunner().invoke(app, ["--version"]).output)
