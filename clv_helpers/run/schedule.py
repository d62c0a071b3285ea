"""Tables kept fresh: by hand, at each time of the schedule, or started by cron; and how the latest runs went."""

from __future__ import annotations

import datetime as dt
import json
import logging
import re
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import tenacity

from clv_helpers.charts import show
from clv_helpers.charts.show import Output
from clv_helpers.config.schedule import Schedule
from clv_helpers.config.workbook import Workbook
from clv_helpers.errors import UserError
from clv_helpers.models import RefreshRow
from clv_helpers.report.last_look import LastLook
from clv_helpers.run import history
from clv_helpers.run.history import Rows, Run, ScheduleError
from clv_helpers.run.refresh_all import refresh_if_changed

__all__ = ["ScheduleError", "run_in_foreground", "shown", "status", "text", "tick"]

Log = Callable[[str], None]
PAUSE = 60  # seconds before a run that failed is tried again
COMMAND_SECONDS = 30
LATEST = 10  # runs that are shown


def refresh(workbook: Workbook) -> Rows:
    """Bring all tables and audiences up to date with the batches in the lake, by hand; gives a row per table.

    Raises ScheduleError where another refresh is running; what the refresh raises, once its row is written.

    Example:
        >>> next(row.mode for row in run.refresh(wb) if row.table == "derived.customer_decile")
        'unchanged'
    """
    with history.alone(workbook), workbook.engine.kept_open():
        return history.recorded(workbook, lambda: (0, refresh_if_changed(workbook)))


def tick(workbook: Workbook, log: Log = lambda _: None) -> Rows:
    """One run as the schedule has it, now: new files in, all tables refreshed; gives a row per table.

    With `runs: notebooks` all six notebooks and the report, which is then delivered; gives a row per table changed.
    A run, or a delivery, that fails is tried again as often as `retries` says, then `on_failure` is run. Raises what
    the last try raised, and ScheduleError where the params have no schedule or another refresh is running.

    Example:
        >>> "profile.customer" in [row.table for row in schedule.tick(wb)]
        True
    """
    schedule = _needed(workbook)
    attempts = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(1 + schedule.retries),
        wait=tenacity.wait_fixed(PAUSE),
        before_sleep=lambda _: log(f"{workbook.name}: the run failed, and is tried again in {PAUSE} s"),
        reraise=True,
    )
    with history.alone(workbook):
        try:
            if schedule.runs == "tables":
                return attempts(history.recorded, workbook, partial(_ingest_and_refresh, workbook))
            changed = attempts(history.recorded, workbook, partial(_run_notebooks, workbook, log))
            if workbook.params.report.deliver:
                attempts(_deliver, workbook, log)
            return changed
        except Exception as error:
            _notify(workbook, schedule, history.one_line(workbook, error), log)
            raise


def run_in_foreground(workbook: Workbook, log: Log) -> None:
    """Refresh now, then at each time of the schedule, until stopped (Ctrl-C, SIGTERM).

    A run that goes on when it is stopped is done to its end. The schedule is read once. Raises ScheduleError where the
    params have none.
    """
    from apscheduler.schedulers.blocking import BlockingScheduler

    schedule = _needed(workbook)
    scheduler = BlockingScheduler(timezone=schedule.zone)

    def turn() -> None:
        try:
            tick(workbook, log)
            log(f"{workbook.name}: the run succeeded")
        except (UserError, OSError) as error:  # anything else is logged by the scheduler, with its stack trace
            log(f"{workbook.name}: the run failed: {history.one_line(workbook, error)}")
        finally:
            following = schedule.next_after(history.now())
            log(f"{workbook.name}: next at {schedule.clock(following)} ({schedule.time_zone})")

    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # what comes due while a run goes on is done with the next
    options = {"coalesce": True, "misfire_grace_time": None, "max_instances": 1}
    scheduler.add_job(turn, schedule.trigger(), next_run_time=history.now(), **options)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        scheduler.start()
    except KeyboardInterrupt:
        log(f"{workbook.name}: stopping, once the run that goes on is done")
        scheduler.shutdown(wait=True)
    finally:
        signal.signal(signal.SIGTERM, before)


@dataclass(frozen=True)
class Status:
    """Where a schedule stands; `runs` are oldest first. Moments are in UTC."""

    workbook: str
    cron: str
    time_zone: str
    running: bool
    next_run_at: dt.datetime
    runs: list[Run]


def status(workbook: Workbook) -> Status:
    """The next time, whether a refresh goes on now, and a row per run. Makes no file.

    Raises ScheduleError where the params have no schedule.

    Example:
        >>> schedule.status(wb).running
        False
    """
    schedule, running = _needed(workbook), history.is_running(workbook)
    following = schedule.next_after(history.now())
    runs = history.read(workbook)
    return Status(workbook.name, schedule.cron, schedule.time_zone, running, following, runs)


def text(workbook: Workbook) -> str:
    """The status for the terminal. Raises ScheduleError where the params have no schedule.

    Example:
        >>> schedule.text(wb).splitlines()[0]
        'airline: 30 5 * * * (Europe/Berlin)'
    """
    import pandas as pd

    schedule, current = _needed(workbook), status(workbook)
    facts, rows = "\n  ".join(_facts(current, schedule)), _latest(current, schedule)
    return f"{workbook.name}: {facts}" + (f"\n\n{pd.DataFrame(rows).to_string(index=False)}" if rows else "")


def shown(workbook: Workbook) -> Output:
    """The schedule for a notebook: a sentence on when, and its latest runs as a table.

    What failed is shown without the values in it, which may be of a person.

    Example:
        >>> schedule.shown(wb).bundle["text/plain"]
        'Refreshed: 30 5 * * * (Europe/Berlin)...'
    """
    schedule = workbook.params.schedule
    if schedule is None:
        return show.note("This workbook has no schedule: a section schedule in its params makes one.")
    current = status(workbook)
    sentence = show.note(f"Refreshed: {'; '.join(_facts(current, schedule))}.")
    rows = _latest(current, schedule)
    if not rows:
        return sentence
    for row in rows:
        row["What failed"] = re.sub(r"'[^']*'|\"[^\"]*\"", "'…'", row["What failed"])
    table = show.table(rows, {header: header for header in rows[0]}, people=None)
    return Output({kind: f"{sentence.bundle[kind]}\n{table.bundle[kind]}" for kind in ("text/html", "text/plain")})


def _needed(workbook: Workbook) -> Schedule:
    if workbook.params.schedule is None:
        raise ScheduleError(
            f"{workbook.file}: schedule is missing; allowed: cron, and what else docs/schedule.md lists"
        )
    return workbook.params.schedule


def _ingest_and_refresh(workbook: Workbook) -> tuple[int, Rows]:
    from clv_helpers import ingest, simulate

    simulate.make_sources(workbook)
    new = [batch for batch in ingest.ingest_files(workbook) if batch.status == "success"]
    return len(new), refresh_if_changed(workbook)


def _run_notebooks(workbook: Workbook, log: Log) -> tuple[int, Rows]:
    """What `clv run` does; gives how many batches came in, and a row per table that was written to."""
    from clv_helpers.run import notebooks

    batches, written = history.lake_state(workbook)
    notebooks.run(workbook.file, log=log)
    batches_now, written_now = history.lake_state(workbook)
    changed = [name for name, moment in written_now.items() if written.get(name) != moment]
    return batches_now - batches, [RefreshRow(name, "", "rows", None, 0.0) for name in changed]


def _deliver(workbook: Workbook, log: Log) -> None:
    """Raises ReportError where a reader has not got the report."""
    from clv_helpers import report

    told = report.deliver(workbook, log=log)
    if not told.is_done:
        raise report.ReportError(told.sentence)
    log(told.sentence)


def _notify(workbook: Workbook, schedule: Schedule, sentence: str, log: Log) -> None:
    """Run the command for a run that failed. A message that does not arrive is logged."""
    if not schedule.on_failure:
        return
    message = {"event": "failed", "workbook": workbook.name, "sentence": sentence}
    message["next_run_at"] = f"{schedule.next_after(history.now()):%Y-%m-%dT%H:%M:%SZ}"
    given = json.dumps(message, ensure_ascii=False)
    try:
        subprocess.run(
            schedule.on_failure, input=given, text=True, capture_output=True, timeout=COMMAND_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", "") or "").strip().split("\n")[-1]
        log(LastLook(workbook).hidden(f"{workbook.name}: schedule.on_failure did not work: {error} {said}".rstrip()))


def _facts(current: Status, schedule: Schedule) -> list[str]:
    """When it runs, whether it does now, and its last and next times."""
    facts = [f"{schedule.cron} ({schedule.time_zone})"]
    facts += ["a refresh is running"] if current.running else []
    facts += [f"last run: {schedule.clock(run.started_at)}, {run.status}" for run in current.runs[-1:]]
    return [*facts, f"next run: {schedule.clock(current.next_run_at)}"]


def _latest(current: Status, schedule: Schedule) -> list[dict[str, str]]:
    """The latest runs for people: times on the schedule's clock, and what each did or what failed."""
    return [
        {
            "Run": str(run.run_id),
            "Started": schedule.clock(run.started_at),
            "Took": f"{(run.ended_at - run.started_at).total_seconds():,.0f} s" if run.ended_at else "",
            "Status": run.status,
            "New batches": "" if run.new_batches is None else str(run.new_batches),
            "Tables changed": "" if run.tables_changed is None else str(run.tables_changed),
            "What failed": run.sentence or "",
        }
        for run in current.runs[: -LATEST - 1 : -1]
    ]
