"""`deciles` in the params: any measure of any dataset of events, ranked within any categories, over any look-backs."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from clv_helpers.config.attributes import Aggregate, check_aggregate
from clv_helpers.config.datasets import NUMERIC, PRIMARY_IDENTITY, PROFILE_MEASURES
from clv_helpers.config.retention import in_months
from clv_helpers.config.validation import Strict, nearest

if TYPE_CHECKING:
    from clv_helpers.config.params import Params

EVERYONE = "ALL"  # the category of a ranking within none
BUILT_IN = "decile"  # what rules call the deciles of the value
LIFETIME = "lifetime"
KINDS = ("count", "sum", "average", "min", "max", "distinct")
MOST = {"month": 120, "day": 3_650}
GROUPING = ("text", "boolean")
BETWEEN = " · "  # the categories of one combination


def _check_name(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", value):
        raise ValueError("small letters, digits and _, such as miles_by_status")
    if value in (BUILT_IN, PRIMARY_IDENTITY):
        raise ValueError("another name: this one is taken")
    return value


def _check_lookback(value: str) -> str:
    words = re.fullmatch(r"([1-9]\d{0,3}) (month|day)s?", value)
    if value != LIFETIME and (not words or int(words[1]) > MOST[words[2]]):
        raise ValueError(f"1 to {MOST['month']} months, 1 to {MOST['day']:,} days, or {LIFETIME}")
    return f"{words[1]} {words[2]}{'' if words[1] == '1' else 's'}" if words else value  # 1 month, 90 days


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _each_once(values: list[str]) -> list[str]:
    if twice := next((value for value in values if values.count(value) > 1), None):
        raise ValueError(f"each once; {twice} comes twice")
    return values


Lookback = Annotated[str, AfterValidator(_check_lookback)]


class Decile(Strict):
    """One ranking: customers by a measure, over some look-backs, among everyone or within categories."""

    name: Annotated[str, AfterValidator(_check_name)]
    """what it is called in rules and exports"""
    of: Aggregate
    """what customers are ranked by, as attributes are made: `count`, `sum`, `average`, `min`, `max` or `distinct`, and
    `where`; of numbers, and without `in_last` and `during`, as look-backs say when"""
    by: Annotated[list[str], BeforeValidator(_listed), AfterValidator(_each_once)] = []
    """the columns of texts of the events, or of their lookups (`products.brand`), within which customers are ranked:
    one, or several together; none: among everyone"""
    lookbacks: Annotated[list[Lookback], BeforeValidator(_listed), AfterValidator(_each_once)] = Field(min_length=1)
    """over how long: `n months` (whole ones, before that of `as_of`), `n days` (before `as_of`) or `lifetime`"""
    ntile: int = Field(default=10, ge=2, le=1_000)
    """how many groups of equal size: 10 are deciles, 4 quartiles, 100 percentiles"""
    order: Literal["descending", "ascending"] = "descending"
    """which end is 1, the best: the largest values, or with `ascending` the smallest"""

    @property
    def lookups(self) -> set[str]:
        """The lookups that it reads."""
        return self.of.lookups | {name.partition(".")[0] for name in self.by if "." in name}

    @property
    def columns(self) -> list[str]:
        """The attributes of the profile that hold places among everyone."""
        return [] if self.by else [column_of(self.name, lookback) for lookback in self.lookbacks]

    @property
    def months(self) -> int:
        """How many months of events it needs at least; what is said of the lifetime is of whatever is kept."""
        spans = [lookback.split() for lookback in self.lookbacks if lookback != LIFETIME]
        return max([0, *(in_months(int(n)) if unit.startswith("day") else int(n) for n, unit in spans)])


def check_deciles(params: Params) -> None:
    """Raise ValueError for rankings that the datasets of the params cannot give."""
    names = [each.name for each in params.deciles]
    for index, each in enumerate(params.deciles):
        place = f"deciles[{index}]"
        if each.name in names[:index]:
            raise ValueError(f"{place}.name is {each.name!r}; allowed: one ranking of that name")
        _check_columns(params, each, place)
    columns = [name for each in params.deciles for name in each.columns]
    taken = {*PROFILE_MEASURES, *params.contract("customers"), *params.attributes}
    for name in columns:
        if name in taken or columns.count(name) > 1:
            raise ValueError(f"deciles give the profile {name!r}, which is there already; allowed: another name for it")


def _check_columns(params: Params, each: Decile, place: str) -> None:
    """Whether there are the dataset and the columns that a ranking asks for, of the types that it needs."""
    from clv_helpers.config.event_rows import event_columns  # which is of params

    if each.of.kind not in KINDS:
        raise ValueError(f"{place}.of is {each.of.kind!r}; allowed: {', '.join(KINDS)}")
    if each.of.in_last or each.of.during:
        raise ValueError(f"{place}.of is over a time of its own; allowed: lookbacks, which say when")
    check_aggregate(params, each.of, f"{place}.of")
    known = event_columns(params, each.of.dataset)
    numbers = [name for name, column in known.items() if column.type in NUMERIC]
    if each.of.kind in ("min", "max") and each.of.column not in numbers:
        options = ", ".join(f"{each.of.dataset}.{name}" for name in numbers)
        raise ValueError(f"{place}.of.{each.of.kind} is {each.of.of!r}; allowed: {options}")
    texts = [name for name, column in known.items() if column.type in GROUPING and name != PRIMARY_IDENTITY]
    for name in each.by:
        if name not in texts:
            raise ValueError(f"{place}.by is {name!r}; {_allowed(name, texts, known)}")


def _allowed(name: str, options: list[str], known: Collection[str] = ()) -> str:
    """What may stand in the place of a name: all of it where the name is known, but does not fit."""
    text = ", ".join(options) if name in known else nearest(name, options)
    return text if text.startswith("did you mean") else f"allowed: {text or 'none, as there is no such column'}"


def column_of(name: str, lookback: str) -> str:
    """The attribute of the profile that holds a place among everyone: `miles_90_days`."""
    return f"{name}_{lookback.replace(' ', '_')}"


def map_of(lookback: str) -> str:
    """A look-back as the guide calls its map: `decileMonth3`, `decileDay90`, `decileMonthAll`."""
    count, _, unit = lookback.partition(" ")
    return f"decile{unit.rstrip('s').capitalize()}{count}" if unit else "decileMonthAll"
