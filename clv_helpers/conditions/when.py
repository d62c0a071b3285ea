"""When something happened, relative to the moment of evaluation, in a stated time zone.

Every constraint becomes plain bounds in UTC before SQL is written, so that no engine's idea of time zones or of
months takes part. Only `ignore_year` leaves a question to SQL: the month and day in the rule's time zone.
"""

from __future__ import annotations

import calendar
import datetime as dt
import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from clv_helpers.config.validation import Strict

UNITS = ("second", "minute", "hour", "day", "week", "month", "year")
SECONDS = dict(zip(UNITS, (1, 60, 3_600, 86_400, 604_800, 2_678_400, 31_622_400), strict=True))
LONGEST = 200 * SECONDS["year"]
HOW_LONG = f"a number and a unit up to 200 years, such as 90 days; units: {', '.join(UNITS)}"
HOW_DAY = "today, yesterday, or a day that exists, written like 2026-01-31"
AnyDay = TypeVar("AnyDay", dt.date, dt.datetime)


@dataclass(frozen=True)
class Clock:
    """The moment of evaluation (UTC, without an offset), and the time zone in which days and months are read."""

    now: dt.datetime
    zone: str = "UTC"

    @property
    def local_now(self) -> dt.datetime:
        return self.now.replace(tzinfo=dt.UTC).astimezone(ZoneInfo(self.zone))

    @property
    def today(self) -> dt.date:
        return self.local_now.date()

    def begin(self, day: dt.date) -> dt.datetime:
        """The moment in UTC at which a day begins."""
        return self._to_utc(dt.datetime.combine(day, dt.time()))

    def shifted(self, duration: str, sign: int) -> dt.datetime:
        """Now, moved by a duration: hours and less are counted exactly, days and more on the calendar."""
        number, unit = parse_duration(duration)
        if SECONDS[unit] < SECONDS["day"]:
            return self.now + dt.timedelta(seconds=sign * number * SECONDS[unit])
        return self._to_utc(shift(self.local_now.replace(tzinfo=None), sign * number, unit))

    def _to_utc(self, local: dt.datetime) -> dt.datetime:
        return local.replace(tzinfo=ZoneInfo(self.zone)).astimezone(dt.UTC).replace(tzinfo=None)


def parse_duration(text: str) -> tuple[int, str]:
    """`90 days` → (90, "day"). Raises ValueError."""
    match = re.fullmatch(rf"(\d{{1,10}}) ({'|'.join(UNITS)})s?", text)
    if not match or int(match[1]) * SECONDS[match[2]] > LONGEST:
        raise ValueError(HOW_LONG)
    return int(match[1]), match[2]


def shift(moment: AnyDay, number: int, unit: str) -> AnyDay:
    """A day or wall-clock time moved on the calendar; the 31st becomes a shorter month's last day."""
    if unit in ("day", "week"):
        return moment + dt.timedelta(days=number * (7 if unit == "week" else 1))
    months = moment.year * 12 + moment.month - 1 + number * (12 if unit == "year" else 1)
    year, month = divmod(months, 12)
    return moment.replace(year=year, month=month + 1, day=min(moment.day, calendar.monthrange(year, month + 1)[1]))


def _check_period(text: str) -> str:
    if not re.fullmatch(r"(19|20|21)\d{2}(-(0[1-9]|1[0-2]))?", text):
        raise ValueError("a year or a month, written like 2026 or 2026-05")
    return text


def _checked(parse_text: Callable[[str], object]) -> AfterValidator:
    """A text that stays as it is written, once it has been read without an error."""

    def check(text: str) -> str:
        parse_text(text)
        return text

    return AfterValidator(check)


ANY_MOMENT = Clock(dt.datetime(2000, 1, 1))
Duration = Annotated[str, BeforeValidator(str), _checked(parse_duration)]
Day = Annotated[str, BeforeValidator(str), _checked(lambda text: _day(text, ANY_MOMENT))]
Point = Annotated[str, BeforeValidator(str), _checked(lambda text: _moment(text, ANY_MOMENT))]
Period = Annotated[str, BeforeValidator(str), AfterValidator(_check_period)]
FORMS = ("is", "in_last", "in_next", "on", "from", "during", "within", "before", "after", "rolling")


class When(Strict):
    """One time constraint, in exactly one of these forms (`from` with `to`, `within` with `of`).

    A day without a time counts as the moment at which it begins.
    """

    is_: Literal["today", "yesterday", "this month", "this year"] | None = Field(default=None, alias="is")
    """a day, a month or a year that moves with now"""
    in_last: Duration | None = None
    """from so long ago until now, such as `90 days`"""
    in_next: Duration | None = None
    """from now until so much later, such as `30 days`"""
    on: Day | None = None
    """a day: `2026-01-31`, `today` or `yesterday`"""
    from_: Day | None = Field(default=None, alias="from")
    """the first day of several, with `to`"""
    to: Day | None = None
    """the last day, itself included"""
    during: Period | None = None
    """a year or a month, such as `2026` or `2026-05`"""
    within: Duration | None = None
    """how long before or after the day that `of` names, such as `3 days`"""
    of: Day | None = None
    """the day in the middle, with `within`"""
    before: Point | None = None
    """earlier than a day, or than a time such as `90 days ago`"""
    after: Point | None = None
    """later than a day, once it is over, or than a time such as `30 days ago`"""
    rolling: Annotated[list[Point], Field(min_length=2, max_length=2)] | None = None
    """between two times that move with now, such as `[90 days ago, 30 days ago]`"""
    ignore_year: bool = False
    """whether a day or a month counts in every year, as a birthday does"""

    @model_validator(mode="after")
    def _one_form(self) -> When:
        given = [form for form in FORMS if self._value(form) is not None]
        if len(given) != 1 or (self.to is None) != (self.from_ is None) or (self.of is None) != (self.within is None):
            shown = self.model_dump(by_alias=True, exclude_defaults=True)
            raise ValueError(f"exactly one of {', '.join(FORMS)} (from with to, within with of), not {shown}")
        if self.within and parse_duration(self.within)[1] not in ("day", "week", "month", "year"):
            raise ValueError(f"within is {self.within}; allowed: days, weeks, months or years around a day")
        if self.rolling and not all(map(_is_relative, self.rolling)):
            raise ValueError(f"rolling is {self.rolling}; allowed: two times such as [90 days ago, 30 days ago]")
        if self.ignore_year and not self._repeats_each_year():
            raise ValueError("ignore_year is True; allowed: only with a day, days or a month")
        return self

    def _repeats_each_year(self) -> bool:
        point = self.before or self.after or ""
        not_of_a_year = (self.in_last, self.in_next, self.rolling, self.is_ == "this year", _is_relative(point))
        return not any(not_of_a_year) and (self.during is None or "-" in self.during)

    @property
    def form(self) -> str:
        return next(form for form in FORMS if self._value(form) is not None)

    def _value(self, form: str) -> Any:
        return getattr(self, {"is": "is_", "from": "from_"}.get(form, form))


@dataclass(frozen=True)
class Bounds:
    """From `low` (inside) to `high`, in UTC; None is open. `closed`: high is inside too."""

    low: dt.datetime | None = None
    high: dt.datetime | None = None
    closed: bool = False


def bounds(when: When, clock: Clock) -> Bounds:
    """The constraint as bounds in UTC, for one that does not ignore the year."""
    if when.in_last:
        return Bounds(clock.shifted(when.in_last, -1), clock.now, closed=True)
    if when.in_next:
        return Bounds(clock.now, clock.shifted(when.in_next, 1), closed=True)
    if when.rolling:
        low, high = sorted(_moment(point, clock) for point in when.rolling)
        return Bounds(low, high, closed=True)
    if when.before:
        return Bounds(high=_moment(when.before, clock))
    if when.after:
        return _after(when.after, clock)
    first, last = days(when, clock)
    return Bounds(clock.begin(first), clock.begin(last + dt.timedelta(days=1)))


def days(when: When, clock: Clock) -> tuple[dt.date, dt.date]:
    """The first and the last day of a constraint of whole days."""
    if when.is_ in ("this month", "this year"):
        return _period_days(f"{clock.today:%Y-%m}" if when.is_ == "this month" else f"{clock.today:%Y}")
    if when.during:
        return _period_days(when.during)
    if when.within and when.of:
        number, unit = parse_duration(when.within)
        middle = _day(when.of, clock)
        return shift(middle, -number, unit), shift(middle, number, unit)
    first = when.from_ or when.on or when.is_ or ""
    return _day(first, clock), _day(when.to or first, clock)


def month_days(when: When, clock: Clock) -> list[tuple[int, int]]:
    """The constraint without its year: spans of month * 100 + day, both ends inside."""
    if when.before:
        return [(101, _month_day(_day(when.before, clock)) - 1)]
    if when.after:
        return [(_month_day(_day(when.after, clock)) + 1, 1231)]
    first, last = days(when, clock)
    if when.during or when.is_ == "this month":  # a month of any year has all its days, the 29th of February too
        return [(first.month * 100 + 1, first.month * 100 + 31)]
    if (last - first).days >= 365:
        return [(101, 1231)]
    low, high = _month_day(first), _month_day(last)
    return [(low, high)] if low <= high else [(low, 1231), (101, high)]


def _is_relative(point: str) -> bool:
    return point.endswith((" ago", " from now"))


def _after(point: str, clock: Clock) -> Bounds:
    """After a day: once it is over. After a relative time: later than that moment, to the microsecond."""
    if _is_relative(point):
        return Bounds(low=_moment(point, clock) + dt.timedelta(microseconds=1))
    return Bounds(low=clock.begin(_day(point, clock) + dt.timedelta(days=1)))


def _moment(point: str, clock: Clock) -> dt.datetime:
    if match := re.fullmatch(r"(.+) (ago|from now)", point):
        return clock.shifted(match[1], -1 if match[2] == "ago" else 1)
    return clock.begin(_day(point, clock))


def _day(text: str, clock: Clock) -> dt.date:
    if text in ("today", "yesterday"):
        return clock.today - dt.timedelta(days=text == "yesterday")
    try:
        day = dt.date.fromisoformat(text) if re.fullmatch(r"(19|20|21)\d{2}-\d{2}-\d{2}", text) else None
    except ValueError:
        day = None
    if day is None:
        raise ValueError(HOW_DAY)
    return day


def _period_days(text: str) -> tuple[dt.date, dt.date]:
    """The first and the last day of a year or a month, written like 2026 or 2026-05."""
    is_month = "-" in text
    first = dt.date.fromisoformat(f"{text}-01" if is_month else f"{text}-01-01")
    return first, shift(first, 1, "month" if is_month else "year") - dt.timedelta(days=1)


def _month_day(day: dt.date) -> int:
    return day.month * 100 + day.day


@functools.cache
def known_zone(name: str) -> bool:
    """Whether this is a time zone of the IANA database, such as Europe/Berlin."""
    try:
        return bool(ZoneInfo(name))
    except (ValueError, OSError, KeyError):
        return False
