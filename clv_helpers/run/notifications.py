"""Who is told what became of a run: a file gets a line, a mail server a message, a command JSON on standard input."""

from __future__ import annotations

import datetime as dt
import json
import os
import smtplib
import ssl
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

from clv_helpers.config.schedule import Alert, Event, MailServer, Schedule
from clv_helpers.config.workbook import Workbook
from clv_helpers.errors import UserError
from clv_helpers.run.clock import next_after, shown_time

Say = Callable[[str], None]
PATIENCE = 30  # seconds for a mail server or a command


@dataclass(frozen=True)
class Told:
    """What is known of a run when somebody is told of it."""

    workbook: str
    params_file: str
    schedule: Schedule
    run: dict[str, Any]
    next_run_at: dt.datetime | None

    @classmethod
    def of(cls, workbook: Workbook, run: dict[str, Any], next_run_at: dt.datetime | None) -> Told:
        assert workbook.params.schedule
        return cls(workbook.name, str(workbook.file), workbook.params.schedule, run, next_run_at)

    def sentence(self, event: str) -> str:
        """The event in one sentence."""
        run, schedule = self.run, self.schedule
        head = f"{self.workbook}: run {run['run_id']}"
        due = f"due {shown_time(schedule, run['due_at'])} ({schedule.time_zone})"
        took = f" after {(run['ended_at'] - run['started_at']).seconds:,} s" if run.get("ended_at") else ""
        match event:
            case "started":
                return f"{head} has started, {due}"
            case "success":
                batches = _counted(run["new_batches"], "new batch", "es")
                tables = _counted(run["tables_changed"], "table", "s")
                return f"{head}, {due}, succeeded{took}: {batches}, {tables} changed"
            case "failed":
                return f"{head}, {due}, failed{took}: {run['sentence']}"
            case "late":
                return f"{head}, {due}, is late: it was not done {schedule.late_after_minutes} minutes after that"
        return (
            f"{self.workbook} is quarantined after {schedule.quarantine_after} failures in a row, "
            f"the last: {run['sentence']}"
        )

    def advice(self, event: str) -> str:
        """What a person can do about it, and what comes next."""
        if event == "quarantined":
            return f"Nothing runs until it is mended and released: clv schedule {self.params_file} release"
        if self.next_run_at is None:
            return "No further run follows: the schedule ends."
        following = f"The next run is due {shown_time(self.schedule, self.next_run_at)} ({self.schedule.time_zone})."
        return f"The tables as last published stay. {following}" if event == "failed" else following

    def as_json(self, event: Event) -> str:
        """The event as one JSON object; moments are in UTC."""
        times = {key: _text(self.run.get(key)) for key in ("due_at", "started_at", "ended_at")}
        facts = {key: self.run.get(key) for key in ("run_id", "status", "new_batches", "tables_changed")}
        said = {"sentence": self.sentence(event), "advice": self.advice(event)}
        return json.dumps(
            {"event": event, "workbook": self.workbook, **facts, **times, "next_run_at": _text(self.next_run_at)}
            | said,
            ensure_ascii=False,
        )


class Watch:
    """Tells that a run has started, and that it is late while it still goes on."""

    def __init__(self, workbook: Workbook, due_at: dt.datetime, at: dt.datetime, say: Say):
        self.workbook, self.due_at, self.at, self.say = workbook, due_at, at, say
        self.timer: threading.Timer | None = None

    def __enter__(self) -> Watch:
        return self

    def started(self, run: int) -> None:
        """Called with the run's number once its row is written."""
        schedule = self.workbook.params.schedule
        assert schedule
        row = {"run_id": run, "due_at": self.due_at, "started_at": self.at, "status": "running"}
        facts = Told.of(self.workbook, row, next_after(schedule, self.at))
        late_at = self.due_at + dt.timedelta(minutes=schedule.late_after_minutes)
        wait = max(0.0, (late_at - self.at).total_seconds())
        self.timer = threading.Timer(wait, tell, [self.workbook, "late", facts, self.say])
        self.timer.daemon = True
        self.timer.start()
        tell(self.workbook, "started", facts, self.say)

    def __exit__(self, *_: Any) -> None:
        if self.timer:
            self.timer.cancel()
            self.timer.join(PATIENCE)  # where it is telling just now


def tell(workbook: Workbook, event: Event, facts: Told, say: Say) -> None:
    """Tell everybody who wants to know of an event. Whom it does not reach is said, and is no failure of the run."""
    assert workbook.params.schedule
    for index, alert in enumerate(workbook.params.schedule.alerts):
        if event not in alert.on:
            continue
        place = f"schedule.alerts[{index}]"
        try:
            _send(workbook, alert, place, event, facts)
        except (OSError, ValueError, smtplib.SMTPException, subprocess.SubprocessError, UserError) as error:
            say(f"{workbook.name}: the alert of {event} did not go out ({place}): {_reason(error)}")


def _send(workbook: Workbook, alert: Alert, place: str, event: Event, facts: Told) -> None:
    if alert.file:
        file = workbook.path(alert.file, f"{place}.file")
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as stream:
            moment = facts.run.get("ended_at") or facts.run["started_at"]
            stream.write(f"{_text(moment)}  {event:<11}  {facts.sentence(event)}\n")
    elif alert.smtp:
        _mail(workbook, alert.smtp, place, event, facts)
    else:
        done = subprocess.run(
            alert.command, input=facts.as_json(event), text=True, capture_output=True, timeout=PATIENCE
        )
        if done.returncode:
            last = (done.stderr or done.stdout).strip().split("\n")[-1]
            raise ChildProcessError(f"{alert.command[0]} ended with {done.returncode}: {last}")


def _mail(workbook: Workbook, server: MailServer, place: str, event: Event, facts: Told) -> None:
    message = EmailMessage()
    message["From"], message["To"] = server.sender, ", ".join(server.to)
    message["Subject"] = f"CLV workbook {facts.workbook}: {'refresh ' if event != 'quarantined' else ''}{event}"
    message.set_content(f"{facts.sentence(event)}.\n\n{facts.advice(event)}\n")
    context = ssl.create_default_context()
    if server.ca_file:
        context.load_verify_locations(workbook.path(server.ca_file, f"{place}.smtp.ca_file"))
    if server.tls == "implicit":
        connection: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=PATIENCE, context=context)
    else:
        connection = smtplib.SMTP(server.host, server.port, timeout=PATIENCE)
    with connection:
        if server.tls == "starttls":
            connection.starttls(context=context)
        if server.username:
            connection.login(server.username, _secret(server.password_variable))
        connection.send_message(message)


def _secret(variable: str) -> str:
    if variable not in os.environ:
        raise ValueError(f"the environment variable {variable} is not set")
    return os.environ[variable]


def _counted(number: int, noun: str, plural: str) -> str:
    return f"{number} {noun}{'' if number == 1 else plural}"


def _text(moment: dt.datetime | None) -> str | None:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else None


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
