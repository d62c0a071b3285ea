"""`deciles` in the params: any measure of any dataset of events, ranked within any categories, over any look-backs."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from clv_helpers.conditions.checks import condition_problems
from clv_helpers.conditions.columns import Attribute
from clv_helpers.conditions.condition import Filter, conditions_of
from clv_helpers.config.datasets import NUMERIC, PRIMARY_IDENTITY, PROFILE_MEASURES, ColumnContract
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


class RankedBy(Strict):
    """The measure: one of the keys beside `where`, with a dataset of events, or with its column."""

    count: str | None = None
    """how many events of a dataset: `purchases`"""
    sum: str | None = None
    """the sum of a column of numbers: `purchases.mileage`, or of a lookup: `purchases.products.margin`"""
    average: str | None = None
    """its mean over the events that have one, to four places"""
    min: str | None = None
    """its smallest value"""
    max: str | None = None
    """its largest value"""
    distinct: str | None = None
    """how many values of any column there are"""
    where: Filter = None
    """conditions on the events that count, as in rules, but without `when`: the look-back says when"""

    @model_validator(mode="after")
    def _one_kind(self) -> RankedBy:
        given = [kind for kind in KINDS if getattr(self, kind)]
        if len(given) != 1:
            raise ValueError(f"one of {', '.join(KINDS)}, not {' and '.join(given) or 'none'}")
        return self

    @property
    def kind(self) -> str:
        """How events become a number."""
        return next(kind for kind in KINDS if getattr(self, kind))

    @property
    def dataset(self) -> str:
        """Whose events count."""
        return getattr(self, self.kind).partition(".")[0]

    @property
    def column(self) -> str:
        """What of them is summed up; empty where they are counted."""
        return getattr(self, self.kind).partition(".")[2]

    def __str__(self) -> str:
        return f"{self.kind} of {getattr(self, self.kind)}{' where …' if self.where else ''}"


Lookback = Annotated[str, AfterValidator(_check_lookback)]


class Decile(Strict):
    """One ranking: customers by a measure, over some look-backs, among everyone or within categories."""

    name: Annotated[str, AfterValidator(_check_name)]
    """what it is called in rules and exports"""
    of: RankedBy
    """what customers are ranked by"""
    by: Annotated[list[str], BeforeValidator(_listed), AfterValidator(_each_once)] = []
    """the columns of texts of the events, or of their lookups (`products.brand`), within which customers are ranked:
    one, or several together; none: among everyone"""
    lookbacks: Annotated[list[Lookback], BeforeValidator(_listed), AfterValidator(_each_once)] = Field(min_length=1)
    """over how long: `n months` (whole ones, before that of `as_of`), `n days` (before `as_of`) or `lifetime`"""
    ntile: int = Field(default=10, ge=2, le=1_000)
    """how many groups of equal size: 10 are deciles, 4 quartiles, 100 percentiles"""
    order: Literal["descending", "ascending"] = "descending"
    """which end is 1, the best: the largest values, or with `ascending` the smallest"""

    def lookups(self, known: Collection[str]) -> set[str]:
        """The lookups that it reads, of those that there are."""
        fields = [condition.field for _, condition in conditions_of(self.of.where)]
        return {name.partition(".")[0] for name in [*self.by, self.of.column, *fields] if "." in name} & {*known}

    @property
    def months(self) -> int:
        """How many months of events it needs at least; what is said of the lifetime is of whatever is kept."""
        spans = [lookback.split() for lookback in self.lookbacks if lookback != LIFETIME]
        return max([0, *(in_months(int(n)) if unit.startswith("day") else int(n) for n, unit in spans)])


def attributes_of(columns: dict[str, ColumnContract]) -> dict[str, Attribute]:
    """Columns as conditions ask for them."""
    kinds = {name: "number" if each.type == "decimal" else each.type for name, each in columns.items()}
    return {name: Attribute(name, kind, "") for name, kind in kinds.items()}


def check_deciles(params: Params) -> None:
    """Raise ValueError for rankings that the datasets of the params cannot give."""
    names = [each.name for each in params.deciles]
    for index, each in enumerate(params.deciles):
        place = f"deciles[{index}]"
        if each.name in names[:index]:
            raise ValueError(f"{place}.name is {each.name!r}; allowed: one ranking of that name")
        _check_columns(params, each, place)
    columns = [column_of(each.name, lookback) for each in params.deciles if not each.by for lookback in each.lookbacks]
    taken = {*PROFILE_MEASURES, *params.contract("customers")}
    for name in columns:
        if name in taken or columns.count(name) > 1:
            raise ValueError(f"deciles give the profile {name!r}, which is there already; allowed: another name for it")


def _check_columns(params: Params, each: Decile, place: str) -> None:
    """Whether there are the dataset and the columns that a ranking asks for, of the types that it needs."""
    from clv_helpers.config.event_rows import event_columns  # which is of params

    of, events = f"{place}.of.{each.of.kind}", params.event_datasets
    if each.of.dataset not in events:
        raise ValueError(f"{of} is {getattr(each.of, each.of.kind)!r}; {_allowed(each.of.dataset, [*events])}")
    known = event_columns(params, each.of.dataset)
    numbers = [name for name, column in known.items() if column.type in NUMERIC]
    fitting = {"count": [""], "distinct": [*known]}.get(each.of.kind, numbers)
    if each.of.column not in fitting:
        options, names = ([f"{each.of.dataset}{name and '.'}{name}" for name in some] for some in (fitting, known))
        raise ValueError(
            f"{of} is {getattr(each.of, each.of.kind)!r}; {_allowed(getattr(each.of, each.of.kind), options, names)}"
        )
    texts = [name for name, column in known.items() if column.type in GROUPING and name != PRIMARY_IDENTITY]
    for name in each.by:
        if name not in texts:
            raise ValueError(f"{place}.by is {name!r}; {_allowed(name, texts, known)}")
    for at, condition in conditions_of(each.of.where, f"{place}.of.where"):
        if condition.when:
            raise ValueError(f"{at}.when is of a time; allowed: op and value, as lookbacks say when")
        for problem in condition_problems(at, condition, attributes_of(known), each.of.dataset):
            raise ValueError(str(problem))


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
