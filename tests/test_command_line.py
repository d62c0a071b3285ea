"""The command line as a person meets it: help in groups, near paths, colour only where somebody looks."""

from __future__ import annotations

import datetime as dt
import math
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from clv_helpers.campaigns.effect_rows import CampaignEffect
from clv_helpers.campaigns.estimates import Difference
from clv_helpers.campaigns.record import verdict
from clv_helpers.cli import app
from clv_helpers.cli.ask import _about
from clv_helpers.cli.batches import _lines as _lines_of_batches
from clv_helpers.cli.options import COMMANDS, ORDER, colored, judged
from clv_helpers.cli.refresh import _lines as _lines_of_tables
from clv_helpers.cli.results import _summary
from clv_helpers.config.validation import ParamsError
from clv_helpers.config.workbook import find_params
from clv_helpers.ingest import Batch
from clv_helpers.models import RefreshRow

HEAVY = ("duckdb", "pandas", "sqlglot", "altair", "pydantic", "papermill", "scipy")


def test_help_has_every_command_in_its_group() -> None:
    assert sorted(typer.main.get_command(app).commands) == sorted(ORDER)
    said = CliRunner().invoke(app, ["--help"]).stdout
    places = [said.index(f"─ {group} ─") for group in COMMANDS]
    assert places == sorted(places)
    assert "clv run params/airline.yml" in said


@pytest.mark.parametrize("name", ORDER)
def test_help_of_a_command_has_an_example_and_no_noise(name: str) -> None:
    said = CliRunner().invoke(app, [name, "--help"]).stdout
    assert f"clv {name} " in said.split("Example")[1]
    assert not any(noise in said for noise in ("<int", "<float", "<bool", "<str", "<path", "<list["))


def test_help_imports_nothing_that_is_heavy() -> None:
    code = "import sys, clv_helpers.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {*done.stdout.split()} & {*HEAVY}


@pytest.mark.parametrize("wrong", ["airlin.yml", "airline", "airlines.yaml"])
def test_a_wrong_path_is_answered_with_the_near_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params" / "airline").mkdir(parents=True)
    (tmp_path / "params" / "airline.yml").write_text("", encoding="utf-8")
    with pytest.raises(ParamsError, match="did you mean params/airline.yml?"):
        find_params(f"params/{wrong}")


def test_colour_is_for_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert colored("added", "green") == "added"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert colored("added", "green").startswith("\x1b[")
    monkeypatch.setenv("NO_COLOR", "1")
    assert colored("added", "green") == "added"


def effect(low: float, high: float, campaign: str = "spring") -> CampaignEffect:
    between = Difference((low + high) / 2, low, high, 1.0)
    return CampaignEffect(campaign, "ALL", True, "", 500, 500, cuped=between)


def test_a_verdict_names_an_effect_only_where_there_is_one() -> None:
    assert verdict(effect(0.5, 1.5), 1) == "added revenue"
    assert verdict(effect(-1.5, -0.5), 1) == "took revenue away"
    assert verdict(effect(-0.1, 1.5), 1) == "no effect that a group of this size could show"
    assert verdict(effect(0.01, 1.5), 40).startswith("perhaps: one of 40")
    assert verdict(effect(math.nan, math.nan), 1) == "not known: too few bought"
    assert verdict(CampaignEffect("spring", "ALL", False, "", 5, 0), 1).startswith("not known: no control group")


def test_results_begin_with_a_line_a_campaign() -> None:
    rows = {"audience": "ALL", "measured": True, "verdict": "added revenue"}
    rows["cuped"] = {"estimate": 1.0, "low": 0.5, "high": 1.5}
    found = [{"campaign": "spring", "effects": [rows]}, {"campaign": "autumn", "effects": []}]
    lines = list(_summary(found, "EUR"))
    assert lines[0] == "2 campaigns, 1 with a control group to compare with"
    assert lines[2].split() == ["spring", "+1.00", "(+0.50", "to", "+1.50)", "added", "revenue"]
    assert lines[3].split() == ["autumn", "–", "not", "known"]


def test_the_model_is_filtered_by_a_word() -> None:
    nodes = [{"table": f"insights.{name}", "one_row": "a day."} for name in ("dim_date", "fact_value")]
    edges = [{"table": "insights.fact_value", "to_table": "insights.dim_date"}]
    assert _about({"nodes": nodes, "edges": edges}, "VALUE") == {"nodes": nodes[1:], "edges": edges}
    with pytest.raises(ParamsError, match="did you mean fact_value?"):
        _about({"nodes": nodes, "edges": edges}, "fact_valu ")


def batch(number: int, status: str, read: int | None, rejected: int | None) -> Batch:
    accepted = None if read is None else read - (rejected or 0)
    at = dt.datetime(2025, 7, 1)
    return Batch(
        number, "purchases", "a.csv", "", status, read, accepted, rejected, None, None, "no column amount", at, at
    )


def test_batches_begin_with_their_sum() -> None:
    first, header, *lines = _lines_of_batches([batch(1, "success", 1_000, 10), batch(2, "failed", None, None)])
    assert first == "2 batches: 1 success, 1 failed; 1,000 rows read, 990 accepted, 10 rejected"
    assert header.split()[0] == "batch"
    assert [line.split()[0] for line in lines] == ["1", "2", "no"]
    assert list(_lines_of_batches([])) == ["no batch yet"]


def test_a_refresh_names_the_tables_that_it_wrote() -> None:
    rows = [
        RefreshRow("derived.as_of", "the workbook.", "unchanged", 1, 0.0),
        RefreshRow("a.b", "a day.", "rows", 9, 2),
    ]
    first, *lines = _lines_of_tables(rows)
    assert first == "2 tables are up to date, 1 of them written now, in 2.0 s"
    assert [line.split()[0] for line in lines] == ["a.b"]


def test_what_failed_is_red_and_what_is_done_green_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert judged("failed") == "failed"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert judged("failed") == typer.style("failed", fg="red")
    assert judged("1 success", "success") == typer.style("1 success", fg="green")
    assert judged("loading") == "loading"
