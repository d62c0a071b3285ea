"""What launchers are given is valid for them, and what people see of the schedule."""

from __future__ import annotations

import ast
import configparser
import datetime as dt
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from shops import DAY, HALF_PAST_FIVE, HOUR, broken_day, new_day, scheduled_shop

from clv_helpers import run as schedule
from clv_helpers.config.schedule import Alert, Schedule
from clv_helpers.config.validation import parse_value, validate
from clv_helpers.config.workbook import ROOT, Workbook
from clv_helpers.run.history import COLUMNS
from conftest import absent, write_shop

PAGE = (ROOT / "docs" / "schedule.md").read_text("utf-8")


@pytest.fixture
def shop(outputs: Path, tmp_path: Path) -> Workbook:
    """In a folder whose name every launcher must take care of."""
    return scheduled_shop(tmp_path / "50% of $it", "30 5 * * mon-fri", time_zone="Europe/Berlin", end="2027-01-01")


def units(text: str) -> dict[str, str]:
    """The two files that the export for systemd stands for, by name."""
    parts = re.split(r"^# (clv-shop\.\w+),.*\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_systemd_units_are_valid(shop: Workbook, tmp_path: Path) -> None:
    found = units(schedule.export(shop, "systemd"))
    assert found.keys() == {"clv-shop.service", "clv-shop.timer"}
    for name, text in found.items():
        parser = configparser.ConfigParser(interpolation=None)
        parser.optionxform = str
        parser.read_string(text)
        (tmp_path / name).write_text(text)
        assert parser["Unit"]["Description"]
        if name.endswith("timer"):
            assert parser["Timer"]["OnCalendar"] == "mon..fri *-*-* 5:30:00 Europe/Berlin"
            assert parser["Timer"]["Persistent"] == "true"
    if not shutil.which("systemd-analyze"):
        absent("systemd-analyze is not installed (Debian: apt-get install systemd)")
    files = [str(tmp_path / name) for name in found]
    done = subprocess.run(["systemd-analyze", "verify", *files], capture_output=True, text=True)
    ours = [line for line in done.stderr.splitlines() if "clv-shop" in line]
    assert (done.returncode, ours) == (0, [])


def test_line_of_cron(shop: Workbook, outputs: Path) -> None:
    lines = [line for line in schedule.export(shop, "cron").splitlines() if not line.startswith("#")]
    assert lines[0] == "CRON_TZ=Europe/Berlin"
    *fields, command = lines[1].split(" ", 5)
    assert " ".join(fields) == "30 5 * * mon-fri"
    assert re.search(r"(?<!\\)%", command) is None  # a bare one would end the line
    words = shlex.split(command.replace(r"\%", "%"))
    assert words[:3] == ["cd", str(shop.file.parent), "&&"]
    assert words[3] == f"CLV_OUTPUTS_DIR={outputs}"
    assert words[-3:] == ["schedule", str(shop.file), "tick"]


def test_line_of_cron_runs(shop: Workbook) -> None:
    command = schedule.export(shop, "cron").splitlines()[-1].split(" ", 5)[5].replace(r"\%", "%")
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env={})
    assert done.returncode == 0, done.stderr
    assert "nothing is due" in done.stdout or "succeeded" in done.stdout


def test_dag_of_airflow(shop: Workbook) -> None:
    text = schedule.export(shop, "airflow")
    tree = ast.parse(text)
    calls = {node.func.id: node for node in ast.walk(tree) if isinstance(node, ast.Call) and hasattr(node.func, "id")}
    dag = {each.arg: ast.unparse(each.value) for each in calls["DAG"].keywords}
    assert dag["schedule"] == "'30 5 * * mon-fri'"
    assert dag["start_date"] == "pendulum.parse(start, tz=zone)"
    assert "zone = 'Europe/Berlin'" in text
    assert "end = '2026-01-01T00:00:00', '2026-12-31T23:59:59'" in text
    assert (dag["catchup"], dag["max_active_runs"]) == ("False", "1")
    command = next(each.value.value for each in calls["BashOperator"].keywords if each.arg == "bash_command")
    assert shlex.split(command)[-2:] == [str(shop.file), "tick"]


def test_status_for_people(outputs: Path, tmp_path: Path) -> None:
    shop = scheduled_shop(tmp_path / "shop", time_zone="Europe/Berlin")
    half_past_five_there = HALF_PAST_FIVE - 2 * HOUR
    assert text(shop, half_past_five_there) == [
        "shop: active",
        "  when: 30 5 * * * (Europe/Berlin)",
        "  next run: Tue 02 Jun 2026 05:30",
    ]
    schedule.tick(shop, at=half_past_five_there)
    broken_day(shop)
    schedule.tick(shop, at=half_past_five_there + DAY)
    lines = text(shop, half_past_five_there + DAY + HOUR)
    assert lines[2:4] == ["  last run: Tue 02 Jun 2026 05:30, failed", "  next run: Wed 03 Jun 2026 05:30"]
    assert lines[6].split()[:6] == ["2", "Tue", "02", "Jun", "2026", "05:30"]
    assert "broken.csv: 1 of 1 rows break the contract" in lines[6]
    assert re.search(r"success +1 +\d+ *$", lines[7])


def test_shown_in_a_notebook_without_values_of_people(outputs: Path, tmp_path: Path) -> None:
    plain = Workbook.open(write_shop(tmp_path / "plain"))
    assert "has no schedule" in schedule.shown(plain).bundle["text/plain"]
    shop = scheduled_shop(tmp_path / "shop")
    assert schedule.shown(shop).bundle["text/plain"].startswith("Refreshed: active; when: 30 5 * * * (UTC);")
    schedule.tick(shop, at=HALF_PAST_FIVE)
    assert "<td>success</td>" in schedule.shown(shop).bundle["text/html"]
    new_day(shop, "broken", "d,ann@example.com,7.00\n")
    schedule.tick(shop, at=HALF_PAST_FIVE + DAY)
    assert "ann@example.com" in text(shop, HALF_PAST_FIVE + DAY)[-2]
    shown = schedule.shown(shop).bundle["text/html"]
    assert "broken.csv: 1 of 1 rows break the contract" in shown
    assert "ann@example.com" not in shown


def text(shop: Workbook, at: dt.datetime) -> list[str]:
    return schedule.text(shop, at).splitlines()


def test_page_knows_every_key_and_column() -> None:
    example = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)[0]
    assert validate(Schedule, parse_value(example)["schedule"], "docs/schedule.md").cron == "30 5 * * mon-fri"
    for model in (Schedule, Alert):
        for name, field in model.model_fields.items():
            assert f"`{field.alias or name}`" in PAGE, name
    for name in COLUMNS:
        if name not in ("run_id", "process"):
            assert f"`{name}`" in PAGE
