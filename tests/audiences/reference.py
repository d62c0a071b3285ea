"""The meaning of a rule told a second time, in plain Python over rows, with no SQL and no shared helpers."""

from __future__ import annotations

import calendar
import datetime as dt
import hashlib
import math
import re
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from clv_helpers.audiences import rule as r

UTC = dt.UTC


class World:
    """The rows of a small store, a moment, and a time zone."""

    def __init__(self, people, events, deciles, memberships, now, zone="UTC"):
        self.people, self.events, self.deciles, self.memberships = people, events, deciles, memberships
        self.now, self.zone = now, ZoneInfo(zone)

    def customers_of(self, part) -> set[str]:
        return {p["customer_id"] for p in self.people if self.meets(p, part)}

    def meets(self, person, part) -> bool:
        if isinstance(part, r.Rule):
            if part.not_ is not None:
                return not self.meets(person, part.not_)
            return (all if part.all else any)(self.meets(person, each) for each in part.all or part.any)
        if isinstance(part, r.Condition):
            return self.holds(part, person)
        me = person["customer_id"]
        if isinstance(part, r.MapCondition):
            have = self.deciles.get((me, part.category, part.lookback_months))
            return decide(part.op, have, part.value, or_missing=part.or_missing)
        if isinstance(part, r.AudienceCondition):
            return (part.audience, me) in self.memberships
        if isinstance(part, r.EventCondition):
            return self.event_holds(me, part)
        return any(self.follows(me, e["occurred_at"], part.sequence[1:]) for e in self.chosen(me, part.sequence[0]))

    def members_of(self, audience, name) -> set[str]:
        """Who is in a composed audience: the rule, without those excluded, as far as the rank lets them stay."""
        by_id = {person["customer_id"]: person for person in self.people}
        if audience.priority:
            inside = {me for me in by_id if any((other, me) in self.memberships for other in audience.priority)}
        else:
            inside = self.customers_of(audience.rule)
        inside = {me for me in inside if not any((out, me) in self.memberships for out in audience.exclude)}
        if audience.rank is None:
            return inside
        tied = sorted(inside, key=lambda me: md5(f"rank|{name}|{me}"))
        known = [me for me in tied if by_id[me][audience.rank.by] is not None]
        # sorting is stable: those who are equal stay in the order of their hashes, in `reverse` too
        known.sort(key=lambda me: by_id[me][audience.rank.by], reverse=audience.rank.order == "descending")
        ranked = known + [me for me in tied if by_id[me][audience.rank.by] is None]
        limit = audience.rank.limit
        if isinstance(limit, str):
            limit = math.ceil(len(ranked) * Fraction(limit.rstrip("% ")) / 100)
        return set(ranked[:limit])

    def branch_of(self, audience, name, me) -> str | None:
        """In which branch of a composed audience someone who is in it is; None for none."""
        if audience.priority:
            return next((other for other in audience.priority if (other, me) in self.memberships), None)
        drawn, below = Fraction(int(md5(f"split|{name}|{me}")[:8], 16), 2**32), Fraction(0)
        for branch, share in audience.split.into.items():
            below += Fraction(share.rstrip("% ")) / 100
            if drawn < below:
                return branch
        return None

    def of(self, me, dataset):
        return [e for e in self.events[dataset] if e["customer_id"] == me and e["occurred_at"] < self.now]

    def chosen(self, me, event, with_where=True):
        found = self.of(me, event.event)
        if event.when:
            found = [e for e in found if self.inside(event.when, e["occurred_at"])]
        return [e for e in found if not with_where or event.where is None or self.fits(e, event.where)]

    def fits(self, event, part) -> bool:
        if isinstance(part, r.Condition):
            return self.holds(part, event)
        if part.not_ is not None:
            return not self.fits(event, part.not_)
        return (all if part.all else any)(self.fits(event, each) for each in part.all or part.any)

    def event_holds(self, me, part) -> bool:
        if part.op == "all":
            found = self.chosen(me, part, with_where=False)
            return bool(found) and all(self.fits(e, part.where) for e in found)
        found = self.chosen(me, part)
        if part.aggregate == "count":
            return decide(part.op, len(found), part.value)
        numbers = [e[part.of] for e in found if e[part.of] is not None]
        if not numbers:
            return False
        have = {"sum": sum, "min": min, "max": max, "average": lambda x: float(sum(x)) / len(x)}[part.aggregate](
            numbers
        )
        return decide(part.op, have, part.value)

    def follows(self, me, at, steps) -> bool:
        """Whether the steps can follow an event at this moment: absences up to the next event, then that event."""
        absent = []
        for index, step in enumerate(steps):
            if step.absent:
                absent.append(step)
                continue
            for event in self.chosen(me, step):
                then = event["occurred_at"]
                fits = self.in_gap(at, then, step) and not any(self.came(me, at, a, then) for a in absent)
                if fits and self.follows(me, then, steps[index + 1 :]):
                    return True
            return False
        ended = all(a.within is None or at + gap(a.within) <= self.now for a in absent)
        return ended and not any(self.came(me, at, a, None) for a in absent)

    def came(self, me, at, step, until) -> bool:
        moments = [e["occurred_at"] for e in self.chosen(me, step)]
        return any(self.in_gap(at, m, step) and (until is None or m < until) for m in moments)

    @staticmethod
    def in_gap(at, then, step) -> bool:
        return (
            then > at
            and (step.after is None or then - at >= gap(step.after))
            and (step.within is None or then - at <= gap(step.within))
        )

    def holds(self, condition, row) -> bool:
        have = row[condition.field]
        if condition.than:
            other = row[condition.than]
            if have is None or other is None:
                return condition.or_missing
            days = isinstance(condition.plus, str)
            plus = dt.timedelta(days=int(condition.plus.split()[0])) if days else condition.plus
            if isinstance(other, Decimal) and isinstance(plus, float):
                plus = Decimal(str(plus))
            return decide(condition.op, have, other + plus if plus else other)
        if condition.when:
            return condition.or_missing if have is None else self.inside(condition.when, have)
        return decide(condition.op, have, condition.value, condition.or_missing, condition.ignore_case)

    def local(self, moment):
        return moment.replace(tzinfo=UTC).astimezone(self.zone)

    def inside(self, when, have) -> bool:
        if not isinstance(have, dt.datetime):  # a day is the moment with which it begins
            have = dt.datetime.combine(have, dt.time(), tzinfo=self.zone).astimezone(UTC).replace(tzinfo=None)
        day, today = self.local(have).date(), self.local(self.now).date()
        if when.ignore_year:
            return self.same_season(when, day, today)
        if when.in_last:
            return self.moved(when.in_last, -1) <= have <= self.now
        if when.in_next:
            return self.now <= have <= self.moved(when.in_next, 1)
        if when.rolling:
            first, last = sorted(map(self.point, when.rolling))
            return first <= have <= last
        if when.before or when.after:
            text = when.before or when.after
            if text.endswith(("ago", "now")):
                return have < self.point(text) if when.before else have > self.point(text)
            return day < named(text, today) if when.before else day > named(text, today)
        if when.is_ == "this month":
            return (day.year, day.month) == (today.year, today.month)
        if when.is_ == "this year":
            return day.year == today.year
        if when.is_ or when.on:
            return day == named(when.is_ or when.on, today)
        if when.from_:
            return named(when.from_, today) <= day <= named(when.to, today)
        if when.during:
            return day.isoformat().startswith(when.during)
        middle = named(when.of, today)
        return moved_day(middle, when.within, -1) <= day <= moved_day(middle, when.within, 1)

    def same_season(self, when, day, today) -> bool:
        this = (day.month, day.day)
        if when.is_ == "this month":
            return day.month == today.month
        if when.during:
            return day.month == int(when.during[5:])
        if when.is_ or when.on:
            one = named(when.is_ or when.on, today)
            return this == (one.month, one.day)
        if when.before or when.after:
            one = named(when.before or when.after, today)
            return this < (one.month, one.day) if when.before else this > (one.month, one.day)
        first, last = (
            (named(when.from_, today), named(when.to, today))
            if when.from_
            else [moved_day(named(when.of, today), when.within, sign) for sign in (-1, 1)]
        )
        if last - first >= dt.timedelta(days=365):
            return True
        low, high = (first.month, first.day), (last.month, last.day)
        return low <= this <= high if low <= high else this >= low or this <= high

    def point(self, text):
        number_unit, *_ = text.rpartition(" ago") if text.endswith("ago") else text.rpartition(" from now")
        return self.moved(number_unit, -1 if text.endswith("ago") else 1)

    def moved(self, text, sign):
        number, unit = text.split()
        unit = unit.rstrip("s")
        if unit in ("second", "minute", "hour"):
            return self.now + sign * dt.timedelta(**{f"{unit}s": int(number)})
        local = self.local(self.now)
        day = moved_day(local.date(), text, sign)
        return dt.datetime.combine(day, local.time(), tzinfo=self.zone).astimezone(UTC).replace(tzinfo=None)


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def moved_day(day, text, sign):
    number, unit = int(text.split()[0]) * sign, text.split()[1].rstrip("s")
    if unit in ("day", "week"):
        return day + dt.timedelta(**{f"{unit}s": number})
    year, month = (day.year + number, day.month) if unit == "year" else (day.year, day.month + number)
    while month < 1:
        year, month = year - 1, month + 12
    while month > 12:
        year, month = year + 1, month - 12
    return dt.date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def named(text, today):
    if text in ("today", "yesterday"):
        return today if text == "today" else today - dt.timedelta(days=1)
    return dt.date.fromisoformat(text)


def gap(text):
    number, unit = text.split()
    return dt.timedelta(**{unit.rstrip("s") + "s": int(number)})


def decide(op, have, value, or_missing=False, ignore_case=False) -> bool:
    if op in ("exists", "missing"):
        return (have is None) == (op == "missing")
    if have is None:
        return or_missing
    if isinstance(have, Decimal) and any(isinstance(v, float) for v in (value if isinstance(value, list) else [value])):
        have = float(have)  # 0.1 in a rule is meant as the 0.1 of the column
    if ignore_case and op not in ("matches", "not matches"):
        have = have.lower()
        value = [v.lower() for v in value] if isinstance(value, list) else value.lower()
    flags = re.IGNORECASE if ignore_case else 0
    if op.startswith("not ") and op != "not equals":
        return not decide(op.removeprefix("not "), have, value, ignore_case=ignore_case)
    return {
        "equals": lambda: have == value,
        "not equals": lambda: have != value,
        "at most": lambda: have <= value,
        "at least": lambda: have >= value,
        "less than": lambda: have < value,
        "more than": lambda: have > value,
        "between": lambda: value[0] <= have <= value[1],
        "in": lambda: have in value,
        "contains": lambda: value in have,
        "starts with": lambda: have.startswith(value),
        "ends with": lambda: have.endswith(value),
        "matches": lambda: re.search(value, have, flags | re.ASCII) is not None,
    }[op]()
