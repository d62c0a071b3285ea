"""The whole chain through papermill, at a small size: what runs, what is kept, what is said when it fails."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from clv_helpers import report
from clv_helpers.config.workbook import ROOT, Workbook
from clv_helpers.report.run_record import latest
from clv_helpers.run import notebooks
from clv_helpers.run.notebooks import STAGES
from conftest import SHOP_CSV, SMALL, write_shop

AIRLINE = ROOT / "params" / "airline.yml"
OPTIONS = [part for key, value in SMALL.items() for part in ("--set", f"{key}={value}")]


def clv(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as a person calls it."""
    command = [Path(sys.executable).with_name("clv"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT, check=False, umask=0o022)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """A finished run of the small airline, and its folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS_DIR", str(tmp_path_factory.mktemp("chain")))
        done = clv("run", str(AIRLINE), *OPTIONS, "--json")
        folder = next((notebooks.outputs_of(AIRLINE) / "runs").iterdir())
        yield done, folder


def texts(folder: Path) -> str:
    return "".join(file.read_text("utf-8") for file in folder.iterdir())


class TestFinishedRun:
    def test_every_stage_ran(self, finished) -> None:
        done, folder = finished
        assert done.returncode == 0, done.stderr
        record = json.loads(done.stdout)
        assert [stage["status"] for stage in record["stages"]] == ["done"] * 6
        assert {file.name for file in folder.iterdir()} == {f"{n}.ipynb" for n in STAGES.values()} | {
            "run.json",
            "report.html",
        }
        lines = done.stderr.splitlines()
        assert [line for line in lines if not line.startswith("✓")] == []
        assert len(lines) == 6

    def test_record_tells_what_ran(self, finished) -> None:
        done, folder = finished
        record = json.loads((folder / "run.json").read_text())
        assert record == json.loads(done.stdout)
        assert {"members": 600, "years": 2, "seed": 2026}.items() <= record["params"]["simulate"].items()
        assert record["tables"]["profile.customer"] == 600
        assert record["lifetime"]["status"] == "predicted"
        assert {fit["data"] for fit in record["lifetime"]["fits"]} == {"calibration", "all"}
        assert {each["measure"] for each in record["lifetime"]["holdout"]["errors"]} == {"purchases", "spend"}
        assert all(each["sentence"] for each in record["lifetime"]["warnings"])
        assert record["versions"]["duckdb"].startswith(("1.5", "2."))
        assert re.fullmatch(r"[0-9a-f]{40}|not a git checkout", record["git_commit"])
        assert all(stage["seconds"] > stage["in_cells"] > 0 for stage in record["stages"])

    def test_nobody_is_named(self, finished) -> None:
        _, folder = finished
        text = texts(folder)
        assert not re.search(r"M\d{7}\b", text)
        assert "@example.com" not in text

    def test_notebooks_hold_no_error_and_no_path_of_this_machine(self, finished) -> None:
        _, folder = finished
        for file in folder.glob("*.ipynb"):
            notebook = nbformat.read(file, as_version=4)
            outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
            assert outputs
            assert all(output.output_type != "error" for output in outputs)
            assert not any(output.output_type == "stream" for output in outputs), file.name

    def test_report_shows_every_stage(self, finished) -> None:
        _, folder = finished
        text = (folder / "report.html").read_text("utf-8")
        for name in STAGES.values():
            assert name[2:].replace("_", " ").capitalize() in text
        assert text.count('<script type="application/json" class="spec">') >= 10
        assert not re.search(r"""(src|href)=["']?(https?:)?//""", text)
        assert len(text) < 5_000_000

    def test_one_stage_again_keeps_the_others(self, finished) -> None:
        _, folder = finished
        before = {file.name: file.stat().st_mtime_ns for file in folder.glob("*.ipynb")}
        again = clv("run", str(AIRLINE), "--only", "4")
        assert again.returncode == 0, again.stderr
        assert len(list(folder.parent.glob("*/run.json"))) == 1
        changed = {name for name, at in before.items() if (folder / name).stat().st_mtime_ns != at}
        assert changed == {"4_audiences.ipynb"}
        assert json.loads((folder / "run.json").read_text())["overrides"] == SMALL

    def test_other_settings_need_a_new_run(self, finished) -> None:
        refused = clv("run", str(AIRLINE), "--from", "2", "--as-of", "2024-05-01")
        assert refused.returncode == 1
        assert "to use others, run all stages" in refused.stderr

    def test_report_refuses_to_name_a_person(self, finished, tmp_path: Path) -> None:
        _, folder = finished
        _, found = latest(folder.parent.parent)
        workbook = Workbook.open(AIRLINE)
        with workbook.engine.read() as session:
            (person,) = session.rows("SELECT email, last_name FROM profile.customer ORDER BY customer_id LIMIT 1")
        notebook = nbformat.read(folder / "4_audiences.ipynb", as_version=4)
        leak = {"text/html": f"<table><tr><td>{person['email'].replace('@', ' at ')}</td></tr></table>"}
        notebook.cells.append(nbformat.v4.new_code_cell(outputs=[nbformat.v4.new_output("display_data", leak)]))
        nbformat.write(notebook, tmp_path / "4_audiences.ipynb")
        (tmp_path / "report.html").write_text("an earlier one")
        with pytest.raises(report.ReportError, match=r"stage 4, piece \d+ .* shows a customer's email") as refused:
            report.write(workbook, found, tmp_path)
        assert person["last_name"] not in str(refused.value)
        assert not (tmp_path / "report.html").exists()

    def test_only_the_owner_reads_what_a_run_leaves(self, finished) -> None:
        outputs = notebooks.outputs_of(AIRLINE)
        modes = {path: stat.S_IMODE(path.lstat().st_mode) for path in [outputs, *outputs.rglob("*")]}
        assert len(modes) > 20
        open_to_others = {path for path, mode in modes.items() if mode != (0o700 if path.is_dir() else 0o600)}
        assert open_to_others == set()


def test_a_customer_in_a_title_stops_the_run_and_stays_nowhere(outputs: Path, tmp_path: Path) -> None:
    params = write_shop(tmp_path, SHOP_CSV.replace("\nc,", "\nC-77001,"))
    board = tmp_path / "shop" / "dashboards" / "value.yml"
    board.parent.mkdir(parents=True)
    board.write_text(
        "title: The best is C-77001\nwidgets:\n"
        "  - {title: t, table: derived.decile_edge, mark: bar, x: decile, y: value}\n"
    )
    failed = clv("run", str(params))
    assert failed.returncode == 1
    assert "3_dashboard, cell 5: its output showed a customer's number, and is left out" in failed.stderr
    (folder,) = (outputs / "shop" / "runs").iterdir()
    assert {file.name for file in folder.iterdir()} == {"run.json", *(f"{STAGES[n]}.ipynb" for n in (1, 2, 3))}
    assert "77001" not in texts(folder) + failed.stderr
    stages = json.loads((folder / "run.json").read_text())["stages"]
    assert [stage["status"] for stage in stages[:4]] == ["done", "done", "failed", "not run"]


def test_own_data_runs_and_skips_what_it_lacks(outputs: Path, tmp_path: Path) -> None:
    params = write_shop(tmp_path)
    done = clv("run", str(params))
    assert done.returncode == 0, done.stderr
    folder = next((outputs / "shop" / "runs").iterdir())
    stages = json.loads((folder / "run.json").read_text())["stages"]
    assert [stage["status"] for stage in stages] == ["done"] * 4 + ["skipped"] * 2
    assert json.loads((folder / "run.json").read_text())["lifetime"]["status"] == "off"
    skipped = nbformat.read(folder / "6_campaign_results.ipynb", as_version=4)
    said = json.dumps(skipped.cells)
    assert "this workbook has no e-mail events" in said
    assert "Every campaign" not in said  # nothing is promised below the note
    assert "Traceback" not in said
    assert "papermill-error" not in said
    assert "Stage 6 is skipped: this workbook has no e-mail events" in (folder / "report.html").read_text("utf-8")


def test_failing_cell_stops_the_chain_and_can_be_resumed(outputs: Path, tmp_path: Path) -> None:
    params = write_shop(tmp_path)
    board = tmp_path / "shop" / "dashboards" / "value.yml"
    board.parent.mkdir(parents=True)
    (board.parent / "edges.sql").write_text("SELECT decile, value, customers FROM derived.decile_edge")
    widget = "title: T\nwidgets:\n  - {title: t, sql: edges, mark: bar, x: decile, y: COLUMN}\n"
    board.write_text(widget.replace("COLUMN", "valeu"))
    audience = tmp_path / "shop" / "audiences" / "all.yml"
    audience.parent.mkdir()
    audience.write_text("title: Everyone\nrule: {all: [{field: purchases, op: at least, value: 1}]}\n")
    failed = clv("run", str(params))
    assert failed.returncode == 1
    assert (
        "3_dashboard, cell 5 (In [4]): ChartError: dashboards/value.yml, widget 't': edges.sql has no column valeu"
        in failed.stderr
    )
    assert "shop.yml --from 3" in failed.stderr
    folder = next((outputs / "shop" / "runs").iterdir())
    assert (folder / "3_dashboard.ipynb").exists()
    assert not (folder / "4_audiences.ipynb").exists()
    board.write_text(widget.replace("COLUMN", "value"))
    resumed = clv("run", str(params), "--from", "3")
    assert resumed.returncode == 0, resumed.stderr
    stages = json.loads((folder / "run.json").read_text())["stages"]
    assert [stage["status"] for stage in stages] == ["done"] * 4 + ["skipped"] * 2


@pytest.mark.parametrize("arguments", [["--from", "3"], ["--only", "2"]])
def test_nothing_to_go_on_from(outputs: Path, arguments: list[str]) -> None:
    refused = clv("run", str(AIRLINE), *arguments)
    assert refused.returncode == 1
    assert "airline has no earlier run to go on from: run all stages first" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--only", "9"], "allowed: stages from 1 to 6"),
        (["--only", "2", "--from", "3"], "exclude each other"),
        (["--set", "nonsense"], "--set is 'nonsense'; allowed: key=value"),
        (["--set", "trend_months=-1"], "trend_months is -1; allowed: greater than or equal to 1"),
        (["--as-of", "2024-13-01"], "as_of is '2024-13-01'; allowed: latest, or a day that exists"),
    ],
)
def test_bad_arguments_start_no_kernel(outputs: Path, arguments: list[str], says: str) -> None:
    refused = clv("run", str(AIRLINE), *arguments)
    assert refused.returncode != 0
    assert says in re.sub(r"\s*[│╰╭─╮╯]+\s*", " ", refused.stderr).replace("\n", " ")
    assert not outputs.exists() or not list(outputs.rglob("runs"))


def test_check_for_machines(outputs: Path) -> None:
    fine = clv("check", str(AIRLINE), "--json")
    assert (fine.returncode, json.loads(fine.stdout)) == (0, {"problems": [], "warnings": []})
    wrong = clv("check", str(AIRLINE), "--set", "simulate.years=0", "--json")
    assert wrong.returncode == 1
    problem = {"path": "simulate.years", "value": "0", "allowed": "greater than or equal to 1", "file": str(AIRLINE)}
    assert json.loads(wrong.stdout) == {"problems": [problem], "warnings": []}


def test_query_from_the_command_line(finished) -> None:
    done = clv("sql", str(AIRLINE), "SELECT customers FROM derived.summary", "--json")
    assert json.loads(done.stdout)["rows"] == [{"customers": 600}]
    refused = clv("sql", str(AIRLINE), "DROP TABLE derived.summary")
    assert (refused.returncode, refused.stderr.strip()) == (
        1,
        "SQL: it begins with DROP; allowed: a single SELECT, which changes nothing",
    )


def test_an_error_of_a_command_names_no_customer(finished) -> None:
    failed = clv("sql", str(AIRLINE), "SELECT CAST(email AS INTEGER) AS e FROM profile.customer")
    assert failed.returncode == 1
    assert "INT32" in failed.stderr
    assert "example" not in failed.stderr


def test_package_imports_quickly() -> None:
    """Heavy libraries are imported where they are used: none of them comes with the package."""
    heavy = ("altair", "pandas", "papermill", "numpy", "nbconvert")
    code = f"import sys, clv_helpers.cli; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_open_notebook_does_not_block_the_lake(airline: Workbook) -> None:
    """A kernel that has shown tables and charts holds no lock: another process can write at once."""
    airline.query("derived.summary")
    with airline.engine.write() as session:
        assert session.tables()
    code = "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('SELECT 1')"
    subprocess.run([sys.executable, "-c", code, str(airline.engine.lake)], check=True)
