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
DAG = '''"""Refreshes the CLV workbook {name}: `clv schedule tick` does what is due, alerts, and keeps the history."""

import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

with DAG(
    dag_id={dag_id!r},
    schedule={cron!r},
    start_date={start},
    end_date={end},
    catchup=False,
    max_active_runs=1,
):
    BashOperator(
        task_id="tick",
        bash_command={command!r},
        env={environment!r},
        append_env=True,
    )
'''
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
CRON = """# The CLV workbook {name}. cronie and systemd-cron understand CRON_TZ; Debian's cron reads the five
# fields in the machine's own time zone: where that is not {zone}, use systemd.
CRON_TZ={zone}
{cron} cd {folder} && {environment}{command}
"""


def export(workbook: Workbook, to: Launcher) -> str:
    """What to give to a launcher, so that it ticks when the schedule is due.

    Environment variables that the paths of the params need are written out. Raises ScheduleError without a schedule.
    """
    formats = {"cron": _cron, "systemd": _systemd, "airflow": _airflow}
    return formats[to](workbook, needed(workbook), _environment(workbook))


def _cron(workbook: Workbook, schedule: Schedule, environment: dict[str, str]) -> str:
    def safe(text: str) -> str:
        return shlex.quote(text).replace("%", r"\%")  # cron takes a bare % for the end of the line

    return CRON.format(
        name=workbook.name,
        zone=schedule.time_zone,
        cron=schedule.cron,
        folder=safe(str(_folder(workbook))),
        environment="".join(f"{key}={safe(value)} " for key, value in environment.items()),
        command=" ".join(map(safe, _command(workbook))),
    )


def _systemd(workbook: Workbook, schedule: Schedule, environment: dict[str, str]) -> str:
    def safe(text: str) -> str:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
        return f'"{escaped}"'

    return SYSTEMD.format(
        name=workbook.name,
        folder=str(_folder(workbook)).replace("%", "%%"),
        environment="".join(f"Environment={safe(f'{key}={value}')}\n" for key, value in environment.items()),
        command=" ".join(safe(part).replace("$", "$$") for part in _command(workbook)),
        calendar=calendar(schedule),
    )


def _airflow(workbook: Workbook, schedule: Schedule, environment: dict[str, str]) -> str:
    def moment(wall: dt.datetime | None) -> str:
        return f"pendulum.parse({wall.isoformat()!r}, tz={schedule.time_zone!r})" if wall else "None"

    return DAG.format(
        name=workbook.name,
        dag_id=f"clv_{workbook.name}",
        cron=schedule.cron,
        start=moment(schedule.start or dt.datetime(2026, 1, 1)),
        end=moment(schedule.end and schedule.end - dt.timedelta(seconds=1)),  # Airflow's end_date counts
        command=f"cd {shlex.quote(str(_folder(workbook)))} && {shlex.join(_command(workbook))}",
        environment=environment,
    )


def calendar(schedule: Schedule) -> str:
    """The cron line as systemd's calendar event."""
    minute, hour, day, month, weekday = schedule.cron.lower().split()
    month = re.sub("|".join(MONTHS), lambda name: str(MONTHS.index(name[0]) + 1), month)
    days = "" if weekday == "*" else f"{_in_systemd(weekdays_by_name(weekday))} "
    date = f"*-{_in_systemd(month, 1)}-{_in_systemd(day, 1)}"
    return f"{days}{date} {_in_systemd(hour)}:{_in_systemd(minute)}:00 {schedule.time_zone}"


def _in_systemd(field: str, first: int = 0) -> str:
    """Ranges have two dots there, and steps a first value."""
    return field.replace("-", "..").replace("*/", f"{first}/")


def _command(workbook: Workbook) -> list[str]:
    return [str(Path(sys.executable).with_name("clv")), "schedule", str(workbook.file.resolve()), "tick"]


def _folder(workbook: Workbook) -> Path:
    return workbook.file.resolve().parent


def _environment(workbook: Workbook) -> dict[str, str]:
    """The environment variables by which the params name their files, with the values that they have now."""
    texts = [source.path for source in workbook.params.sources.values()]
    texts += [alert.file for alert in needed(workbook).alerts]
    names = {"CLV_OUTPUTS_DIR", *re.findall(r"\$\{(\w+)\}", " ".join(texts))}
    return {name: os.environ[name] for name in sorted(names) if name in os.environ}
