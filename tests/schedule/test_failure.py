"""A run that fails: tried again, then a command is run; through a real command."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from shops import broken_day, new_day, scheduled_shop

from clv_helpers import schedule
from clv_helpers.errors import UserError
from clv_helpers.run import history
from clv_helpers.run import schedule as module

BROKEN = "broken.csv: 1 of 1 rows break the contract"


def failing(folder: Path, **settings: object) -> tuple[list[str], list[str]]:
    """What is logged of a run that fails, and how its tries ended."""
    shop = scheduled_shop(folder, **settings)
    broken_day(shop)
    lines: list[str] = []
    with pytest.raises(UserError, match=BROKEN):
        schedule.tick(shop, lines.append)
    return lines, [run.status for run in history.read(shop)]


def test_command_gets_json_on_standard_input(outputs: Path, tmp_path: Path) -> None:
    copies = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.stdin.read())"
    file = tmp_path / "a name; with $(signs)"
    command = [sys.executable, "-c", copies, str(file)]
    schedule.tick(scheduled_shop(tmp_path / "fine", on_failure=command))
    assert not file.exists()
    assert failing(tmp_path / "shop", on_failure=command) == ([], ["success", "failed"])
    message = json.loads(file.read_text())
    assert (message["event"], message["workbook"]) == ("failed", "shop")
    assert message["next_run_at"].endswith("T05:30:00Z")
    assert BROKEN in message["sentence"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ([sys.executable, "-c", "import sys; sys.exit('no such channel')"], "no such channel"),
        (["/no/such/program"], "No such file or directory"),
    ],
)
def test_command_that_does_not_work_is_logged(outputs: Path, tmp_path: Path, command: list[str], said: str) -> None:
    lines, tries = failing(tmp_path, on_failure=command)
    assert tries == ["failed"]
    (line,) = lines
    assert line.startswith("shop: schedule.on_failure did not work: ")
    assert said in line


def test_a_run_that_fails_is_tried_again(outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE", 0)
    marker = tmp_path / "commands"
    count = f"open({str(marker)!r}, 'a').write('x')"
    lines, tries = failing(tmp_path / "shop", retries=2, on_failure=[sys.executable, "-c", count])
    assert lines == ["shop: the run failed, and is tried again in 0 s"] * 2
    assert tries == ["failed"] * 3
    assert marker.read_text() == "x"


def test_a_second_try_that_succeeds_is_a_success(
    outputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = scheduled_shop(tmp_path, retries=1)
    monkeypatch.setattr(module, "PAUSE", 0)
    broken = broken_day(shop)
    schedule.tick(shop, lambda _: broken.unlink())
    assert [run.status for run in history.read(shop)] == ["failed", "success"]


def test_what_failed_is_kept_without_the_customer(outputs: Path, tmp_path: Path) -> None:
    shop = scheduled_shop(tmp_path)
    new_day(shop, "day2", "C-77001,2024-03-02,7.00\n")
    schedule.tick(shop)

    def work() -> tuple[int, history.Rows]:
        raise ValueError("Could not convert string 'c 77001' to INT32")

    with pytest.raises(ValueError, match="c 77001"):
        history.recorded(shop, work)
    assert history.read(shop)[-1].sentence == "ValueError: Could not convert string '…' to INT32"
