"""The schedule for other launchers: a line of cron, units of systemd, a DAG of Airflow."""

from __future__ import annotations

import datetime as dt
import os
import re
import shlex
import sys
from pathlib import Path
from typing import Literal

from clv_helpers.config.schedule import Schedule, weekdays_by_name
from clv_helpers.config.workbook import Workbook
from clv_helpers.run.scheduled_refresh import needed

Launcher = Literal["cron", "systemd", "airflow"]
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
CRON = """# The CLV workbook {name}. cronie and systemd-cron understand CRON_TZ; Debian's cron reads the five
# fields in the machine's own time zone: where that is not {zone}, use systemd.
CRON_TZ={zone}
{cron} cd {folder} && {environment}{command}
"""
SYSTEMD = """# clv-{name}.service, in ~/.config/systemd/user/ or /etc/systemd/system/
[Unit]
Description=Refresh of the CLV workbook {name}

[Service]
Type=oneshot
WorkingDirectory={folder}
{environment}ExecStart={command}

# clv-{name}.timer, beside it; then: systemctl --user enable --now clv-{name}.timer
[Unit]
Description=When the CLV workbook {name} is refreshed

[Timer]
OnCalendar={calendar}
Persistent=true
AccuracySec=1s

[Install]
WantedBy=timers.target
"""
DAG = '''"""Refreshes the CLV workbook {name}: `clv schedule tick` does what is due, alerts, and keeps the history."""

import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

zone = {zone!r}
start, end = {start!r}, {end!r}
with DAG(
    dag_id="clv_{name}",
    schedule={cron!r},
    start_date=pendulum.parse(start, tz=zone),
    end_date=pendulum.parse(end, tz=zone) if end else None,
    catchup=False,
    max_active_runs=1,
):
    BashOperator(task_id="tick", bash_command={command!r}, env={environment!r}, append_env=True)
'''


def export(workbook: Workbook, to: Launcher) -> str:
    """What to give to a launcher, so that it ticks when the schedule is due.

    Environment variables that the paths of the params need are written out. Raises ScheduleError without a schedule.

    Example:
        >>> run.export(wb, "cron").splitlines()[-1]
        '30 5 * * * cd ... schedule ... tick'
    """
    schedule, environment = needed(workbook), _environment(workbook)
    file = workbook.file.resolve()
    command, folder = [str(Path(sys.executable).with_name("clv")), "schedule", str(file), "tick"], str(file.parent)
    names = {"name": workbook.name, "zone": schedule.time_zone, "cron": schedule.cron}
    if to == "cron":
        variables = "".join(f"{key}={_for_cron(value)} " for key, value in environment.items())
        words = " ".join(map(_for_cron, command))
        return CRON.format(**names, folder=_for_cron(folder), environment=variables, command=words)
    if to == "systemd":
        variables = "".join(f"Environment={_for_systemd(f'{key}={value}')}\n" for key, value in environment.items())
        words = " ".join(_for_systemd(word).replace("$", "$$") for word in command)
        place, when = folder.replace("%", "%%"), calendar(schedule)
        return SYSTEMD.format(**names, folder=place, environment=variables, command=words, calendar=when)
    start = schedule.start.isoformat() if schedule.start else "2026-01-01T00:00:00"
    end = (schedule.end - dt.timedelta(seconds=1)).isoformat() if schedule.end else ""  # Airflow's end_date counts
    line = f"cd {shlex.quote(folder)} && {shlex.join(command)}"
    return DAG.format(**names, start=start, end=end, command=line, environment=environment)


def calendar(schedule: Schedule) -> str:
    """The cron line as systemd's calendar event."""
    minute, hour, day, month, weekday = schedule.cron.lower().split()
    month = re.sub("|".join(MONTHS), lambda name: str(MONTHS.index(name[0]) + 1), month)
    days = "" if weekday == "*" else f"{_range(weekdays_by_name(weekday))} "
    return f"{days}*-{_range(month, 1)}-{_range(day, 1)} {_range(hour)}:{_range(minute)}:00 {schedule.time_zone}"


def _range(field: str, first: int = 0) -> str:
    """In systemd ranges have two dots, and steps a first value."""
    return field.replace("-", "..").replace("*/", f"{first}/")


def _for_cron(text: str) -> str:
    return shlex.quote(text).replace("%", r"\%")  # cron takes a bare % for the end of the line


def _for_systemd(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _environment(workbook: Workbook) -> dict[str, str]:
    """The environment variables by which the params name their files, with the values that they have now."""
    texts = [source.path for source in workbook.params.sources.values()]
    texts += [alert.file for alert in needed(workbook).alerts]
    names = {"CLV_OUTPUTS_DIR", *re.findall(r"\$\{(\w+)\}", " ".join(texts))}
    return {name: os.environ[name] for name in sorted(names) if name in os.environ}
