"""What a long computation is at is told to who waits, and to nobody else."""

from __future__ import annotations

import io
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from clv_helpers import progress
from clv_helpers.config.workbook import Workbook
from clv_helpers.run import build


def steps_of_a_minute() -> None:
    for what, count in (("reading orders.csv", 6_919), ("checks", None)):
        progress.step(what)
        progress.rows(count)


def test_nobody_watches_and_nothing_is_kept() -> None:
    steps_of_a_minute()
    with progress.watched(progress.Steps()) as steps:
        pass
    assert steps.done == []


def test_a_refresh_tells_of_each_table_in_its_order_with_its_rows(airline: Workbook) -> None:
    with progress.watched(progress.Steps()) as steps:
        build.derived(airline)
    told = {step.what.partition(" ")[0]: step.rows for step in steps.done}
    assert told["derived.as_of"] == 1
    assert list(told)[-1] == "publishing"
    assert told["derived.customer_day"] > 1_000


def test_a_step_that_failed_is_watched_no_longer() -> None:
    with pytest.raises(ValueError, match="no"), progress.watched(progress.Steps()):
        raise ValueError("no")
    with progress.watched(progress.Steps()) as steps:
        steps_of_a_minute()
    assert [step.what for step in steps.done] == ["reading orders.csv", "checks"]


def test_without_a_terminal_what_took_long_is_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress.on_terminal():
        steps_of_a_minute()
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(progress, "LONG", 0)
    with progress.on_terminal():
        steps_of_a_minute()
    out, err = capsys.readouterr()
    assert (out, err.splitlines()) == ("", ["reading orders.csv, 6,919 rows, 0.0 s", "checks, 0.0 s"])
    with progress.on_terminal(plain=False):
        steps_of_a_minute()
    assert capsys.readouterr() == ("", "")


def test_a_terminal_shows_one_line_and_what_another_process_is_at(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setitem(os.environ, "TERM", "xterm")
    with progress.on_terminal(relay=lambda: "derived.as_of"):
        progress.step("1/6 derived dataset")
    assert "1/6 derived dataset  derived.as_of  0 s" in terminal.getvalue()
    assert terminal.getvalue().count("\n") <= 1  # it changes in place


def test_a_batch_run_keeps_nothing_in_its_notebook_and_tells_the_command(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "now"
    folder.mkdir(parents=True)
    seen = []

    @progress.told
    def work(_workbook: object) -> None:
        progress.step("reading orders.csv")
        seen.append(progress.relayed(folder))

    work(SimpleNamespace(run="now", folder=tmp_path))
    assert seen == ["reading orders.csv"]
    assert (progress.relayed(folder), list(folder.iterdir())) == ("", [])


def test_a_person_in_a_notebook_keeps_one_line_of_what_took_long(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    handle = SimpleNamespace(update=lambda bundle, raw: shown.append(bundle["text/plain"]))
    monkeypatch.setattr(progress, "_in_kernel", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda *_, **__: handle)

    @progress.told
    def work(_workbook: object) -> None:
        steps_of_a_minute()

    work(SimpleNamespace(run=""))
    assert shown == ["reading orders.csv … 0 s", ""]
    monkeypatch.setattr(progress, "LONG", 0)
    work(SimpleNamespace(run=""))
    assert shown[-1].startswith("2 steps in 0.0 s; the longest: ")


def test_a_workbook_may_be_given_by_name() -> None:
    @progress.told
    def run_of(workbook: Workbook) -> str:
        return workbook.run

    assert run_of(workbook=SimpleNamespace(run="")) == ""
