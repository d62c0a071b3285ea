"""The schedule for whoever starts things on this machine: a line of cron, units of systemd, a DAG of Airflow."""

from __future__ import annotations

import datetime as dt
import os
import re
import shlex
import sys
from pathlib import Path
from typing import Literal

from clv_helpers.config.schedule import WEEKDAYS, Schedule, cron_values
from clv_helpers.config.workbook import Workbook
from clv_helpers.run.scheduled_refresh import needed

Launcher = Literal["cron", "systemd", "airflow"]
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

    Environment variables that the paths of the params need are written out; those of secrets are only named.
    """
    schedule = needed(workbook)
    made = {"cron": _cron, "systemd": _systemd, "airflow": _airflow}[to](workbook, schedule, _environment(workbook))
    secrets = sorted({each.smtp.password_variable for each in schedule.alerts if each.smtp and each.smtp.username})
    note = f"# Give it the secret {', '.join(secrets)} in its environment, from a file that only it can read.\n"
    return (note if secrets else "") + made


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

    command = [safe(part).replace("$", "$$") for part in _command(workbook)]
    return SYSTEMD.format(
        name=workbook.name,
        folder=str(_folder(workbook)).replace("%", "%%"),
        environment="".join(f"Environment={safe(f'{key}={value}')}\n" for key, value in environment.items()),
        command=" ".join(command),
        calendar=calendar(schedule),
    )


def _airflow(workbook: Workbook, schedule: Schedule, environment: dict[str, str]) -> str:
    start = schedule.start or dt.datetime(2026, 1, 1)
    last = schedule.end - dt.timedelta(seconds=1) if schedule.end else None  # Airflow's end_date counts
    return DAG.format(
        name=workbook.name,
        dag_id=f"clv_{workbook.name}",
        cron=schedule.cron,
        start=_pendulum(start, schedule),
        end=_pendulum(last, schedule) if last else None,
        command=f"cd {shlex.quote(str(_folder(workbook)))} && {shlex.join(_command(workbook))}",
        environment=environment,
    )


def _pendulum(moment: dt.datetime, schedule: Schedule) -> str:
    parts = [moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second]
    return f"pendulum.datetime({', '.join(map(str, parts))}, tz={schedule.time_zone!r})"


def calendar(schedule: Schedule) -> str:
    """The cron line as systemd's calendar event."""
    minutes, hours, days, months, weekdays = cron_values(schedule.cron)
    names = ",".join(WEEKDAYS[day].capitalize() for day in weekdays) + " " if len(weekdays) < 7 else ""
    day = f"*-{_numbers(months, 12)}-{_numbers(days, 31)}"
    return f"{names}{day} {_numbers(hours, 24)}:{_numbers(minutes, 60)}:00 {schedule.time_zone}"


def _numbers(values: list[int], of: int) -> str:
    return "*" if len(values) == of else ",".join(f"{value:02d}" for value in values)


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
