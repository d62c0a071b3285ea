"""What a params file says of its schedule: when the tables are refreshed, and who is told."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from clv_helpers.config.validation import Strict

Event = Literal["started", "success", "failed", "late", "quarantined"]
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
LONGEST = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
# Field of a cron line → first and last value, and the names that may stand for values. Sunday is 0 and 7.
FIELDS: dict[str, tuple[int, int, list[str]]] = {
    "minute": (0, 59, []),
    "hour": (0, 23, []),
    "day of the month": (1, 31, []),
    "month": (1, 12, ["", *MONTHS]),
    "day of the week": (0, 7, WEEKDAYS),
}


def cron_values(cron: str) -> list[list[int]]:
    """The values that each of the five fields of a cron line stands for, sorted; Sunday is 0.

    Raises ValueError, with what is allowed, for a line of another form, a value that does not exist, a day that never
    comes, or both days restricted at once, which cron takes as either and systemd as both.
    """
    parts = cron.lower().split()
    if len(parts) != len(FIELDS):
        raise ValueError(f"five fields: {', '.join(FIELDS)}; such as '30 5 * * mon-fri'")
    values = [_field(name, part) for name, part in zip(FIELDS, parts, strict=True)]
    _, _, days, months, _ = values
    if all(min(days) > LONGEST[month - 1] for month in months):
        raise ValueError(f"a day that exists; no month named here has a day {min(days)}")
    if len(days) < 31 and len(values[4]) < 7:
        raise ValueError("days of the month or days of the week, not both: schedulers differ on what that means")
    return values


def _field(name: str, text: str) -> list[int]:
    first, last, names = FIELDS[name]
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"(?:\*|(\w+)(?:-(\w+))?)(?:/([1-9]\d*))?", part)
        numbers = [_number(each, names) for each in match.groups()[:2] if each] if match else []
        step = int(match[3] or 1) if match else 1
        whole = bool(match) and (part.startswith("*") or match[2] is not None or match[3] is None)
        if not whole or any(n is None or not first <= n <= last for n in numbers) or numbers != sorted(numbers):
            also = f" ({names[first] or names[1]} to {names[-1]})" if names else ""
            raise ValueError(f"for the {name}: * or {first} to {last}{also}, as 5, 1-5, */5 or 1,3; not {part!r}")
        low, high = (numbers[0], numbers[-1]) if numbers else (first, last)
        found |= set(range(low, high + 1, step))
    return sorted({value % 7 for value in found} if name == "day of the week" else found)


def _number(text: str, names: list[str]) -> int | None:
    return int(text) if text.isdigit() else names.index(text) if text in names else None


def _cron(value: Any) -> Any:
    cron_values(str(value))
    return " ".join(str(value).split())


def _zone(value: Any) -> Any:
    try:
        zoneinfo.ZoneInfo(str(value))
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise ValueError("a time zone of the IANA list, such as Europe/Berlin or UTC") from None
    return value


def _moment(value: Any) -> Any:
    if value is None or isinstance(value, dt.datetime):
        return value
    try:
        found = dt.datetime.fromisoformat(str(value))
    except ValueError:
        found = None
    if found is None or found.tzinfo:
        raise ValueError("a day, or a moment in the schedule's time zone, such as 2026-01-31 or 2026-01-31 06:00")
    return found


Moment = Annotated[dt.datetime | None, BeforeValidator(_moment)]


class MailServer(Strict):
    """Whom to write to, through which mail server. Passwords stand in the environment variable named here."""

    host: str
    port: int = Field(default=587, ge=1, le=65535)
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    ca_file: str = ""
    username: str = ""
    password_variable: str = ""
    sender: str = Field(alias="from", pattern=r"^[^\r\n]*@[^\r\n]*$")
    to: list[Annotated[str, Field(pattern=r"^[^\r\n]*@[^\r\n]*$")]] = Field(min_length=1)

    @model_validator(mode="after")
    def _password_is_named_and_safe(self) -> MailServer:
        if self.username and (not self.password_variable or self.tls == "none"):
            raise ValueError(f"username is {self.username!r}; allowed: with password_variable, and tls not none")
        return self


class Alert(Strict):
    """Who is told of which events: a file gets a line, a mail server a message, a command JSON on standard input."""

    on: list[Event] = Field(min_length=1)
    file: str = ""
    smtp: MailServer | None = None
    command: list[str] = []

    @model_validator(mode="after")
    def _goes_to_one_place(self) -> Alert:
        places = [name for name in ("file", "smtp", "command") if getattr(self, name)]
        if len(places) != 1:
            raise ValueError(f"to is {' and '.join(places) or 'nowhere'}; allowed: one of file, smtp, command")
        return self


class Schedule(Strict):
    """When the tables are refreshed (`cron`, in `time_zone`, from `start` until before `end`), and who is told.

    After `quarantine_after` failures in a row it rests until it is released. A run is `late` when it is not done
    `late_after_minutes` after it was due.
    """

    cron: Annotated[str, BeforeValidator(_cron)]
    time_zone: Annotated[str, BeforeValidator(_zone)] = "UTC"
    start: Moment = None
    end: Moment = None
    enabled: bool = True
    quarantine_after: int = Field(default=10, ge=1, le=1000)
    late_after_minutes: int = Field(default=15, ge=1, le=1440)
    alerts: list[Alert] = []

    @model_validator(mode="after")
    def _starts_before_it_ends(self) -> Schedule:
        if self.start and self.end and self.start >= self.end:
            raise ValueError(f"end is {self.end}; allowed: a moment after start ({self.start})")
        return self
