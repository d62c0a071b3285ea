"""Alerts of a scheduled run: a file gets a line, a command JSON on standard input."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import asdict

from clv_helpers.config.schedule import Alert, Schedule
from clv_helpers.config.workbook import Workbook
from clv_helpers.errors import UserError
from clv_helpers.run.history import Run

Log = Callable[[str], None]
COMMAND_SECONDS = 30


def sentence_of(workbook: Workbook, schedule: Schedule, run: Run) -> str:
    """How a scheduled run ended, in one sentence."""
    head = f"{workbook.name}: run {run.run_id}, due {schedule.clock(run.due_at)} ({schedule.time_zone}),"
    took = f" after {(run.ended_at - run.started_at).total_seconds():,.0f} s" if run.ended_at else ""
    if run.status == "success":
        return f"{head} succeeded{took}: new batches {run.new_batches}, tables changed {run.tables_changed}"
    return f"{head} failed{took}: {run.sentence}"


def notify(workbook: Workbook, schedule: Schedule, run: Run, log: Log) -> None:
    """Send the alerts of a run that has ended. One that does not arrive is logged, and is no failure of the run."""
    event = "success" if run.status == "success" else "failed"
    for index, alert in enumerate(schedule.alerts):
        if event not in alert.on:
            continue
        place = f"schedule.alerts[{index}]"
        try:
            _send(workbook, schedule, alert, place, event, run)
        except (OSError, subprocess.SubprocessError, UserError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            log(f"{workbook.name}: the alert of {event} was not sent ({place}): {reason}")


def _send(workbook: Workbook, schedule: Schedule, alert: Alert, place: str, event: str, run: Run) -> None:
    sentence = sentence_of(workbook, schedule, run)
    if alert.file:
        file = workbook.path(alert.file, f"{place}.file")
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as stream:
            stream.write(f"{run.ended_at or run.started_at:%Y-%m-%dT%H:%M:%SZ}  {event:<8}  {sentence}\n")
        return
    message = {"event": event, "workbook": workbook.name, **asdict(run), "sentence": sentence}
    message["next_run_at"] = schedule.next_after(run.ended_at or run.started_at)
    text = json.dumps(message, ensure_ascii=False, default=lambda moment: f"{moment:%Y-%m-%dT%H:%M:%SZ}")
    done = subprocess.run(
        alert.command, input=text, text=True, capture_output=True, timeout=COMMAND_SECONDS, check=False
    )
    if done.returncode:
        last = (done.stderr or done.stdout).strip().split("\n")[-1]
        raise ChildProcessError(f"{alert.command[0]} ended with {done.returncode}: {last}")
