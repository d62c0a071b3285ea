"""What people see of the schedule, and that its page and its snippets are true."""

from __future__ import annotations

import ast
import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from shops import broken_day, new_day, scheduled_shop

from clv_helpers import schedule
from clv_helpers.config.schedule import Schedule
from clv_helpers.config.validation import parse_value, validate
from clv_helpers.config.workbook import ROOT, Workbook
from clv_helpers.errors import UserError
from clv_helpers.run.history import COLUMNS
from conftest import absent, write_shop

PAGE = (ROOT / "docs" / "schedule.md").read_text("utf-8")
SNIPPETS = dict(re.findall(r"```(\w+)\n(.*?)```", PAGE, flags=re.DOTALL))


def fails(shop: Workbook) -> None:
    with pytest.raises(UserError):
        schedule.tick(shop)


def test_status_for_people(outputs: Path, tmp_path: Path) -> None:
    shop = scheduled_shop(tmp_path / "shop", time_zone="Europe/Berlin")
    first, following = schedule.text(shop).splitlines()
    assert first == "shop: 30 5 * * * (Europe/Berlin)"
    assert re.fullmatch(r"  next run: \w{3} \d\d \w{3} \d{4} 05:30", following)
    schedule.tick(shop)
    broken_day(shop)
    fails(shop)
    lines = schedule.text(shop).splitlines()
    assert re.fullmatch(r"  last run: .* \d{4} \d\d:\d\d, failed", lines[1])
    assert lines[5].split()[0] == "2"
    assert "broken.csv: 1 of 1 rows break the contract" in lines[5]
    assert re.search(r"success +1 +\d+ *$", lines[6])


def test_shown_in_a_notebook_without_values_of_people(outputs: Path, tmp_path: Path) -> None:
    plain = Workbook.open(write_shop(tmp_path / "plain"))
    assert "has no schedule" in schedule.shown(plain).bundle["text/plain"]
    shop = scheduled_shop(tmp_path / "shop")
    assert schedule.shown(shop).bundle["text/plain"].startswith("Refreshed: 30 5 * * * (UTC); next run: ")
    schedule.tick(shop)
    assert "<td>success</td>" in schedule.shown(shop).bundle["text/html"]
    new_day(shop, "broken", "d,ann@example.com,7.00\n")
    fails(shop)
    assert "ann@example.com" in schedule.text(shop).splitlines()[-2]
    shown = schedule.shown(shop).bundle["text/html"]
    assert "broken.csv: 1 of 1 rows break the contract" in shown
    assert "ann@example.com" not in shown


def test_page_knows_every_key_and_column() -> None:
    section = validate(Schedule, parse_value(SNIPPETS["yaml"])["schedule"], "docs/schedule.md")
    assert section.cron == "30 5 * * mon-fri"
    for name in [*Schedule.model_fields, *COLUMNS]:
        assert name == "run_id" or f"`{name}`" in PAGE, name


def test_systemd_units_are_valid(tmp_path: Path) -> None:
    parts = re.split(r"^# (clv\.\w+)\n", SNIPPETS["ini"], flags=re.MULTILINE)
    units = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert units.keys() == {"clv.service", "clv.timer"}
    for name, text in units.items():
        configparser.ConfigParser(interpolation=None).read_string(text)
        # systemd looks whether the program is there
        (tmp_path / name).write_text(text.replace("/home/ann/.venv/bin/clv", "/bin/true"))
    if not shutil.which("systemd-analyze"):
        absent("systemd-analyze is not installed (Debian: apt-get install systemd)")
    files = [str(tmp_path / name) for name in units]
    done = subprocess.run(["systemd-analyze", "verify", *files], capture_output=True, text=True)
    ours = [line for line in done.stderr.splitlines() if str(tmp_path) in line]
    assert (done.returncode, ours) == (0, [])


def test_dag_of_airflow_and_line_of_cron_tick() -> None:
    ast.parse(SNIPPETS["python"])
    for snippet in (SNIPPETS["python"], SNIPPETS["sh"], SNIPPETS["ini"]):
        assert re.search(r"clv schedule \S+\.yml tick", snippet)
