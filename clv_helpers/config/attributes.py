"""`attributes` in the params: what events say of a customer, one line each, and arithmetic over what is known."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator
from sqlglot import exp

from clv_helpers.conditions.checks import condition_problems
from clv_helpers.conditions.columns import Attribute as Asked
from clv_helpers.conditions.condition import Condition, Container, Filter, Where, conditions_of, fields_of, parts_of
from clv_helpers.conditions.row_test import row_test
from clv_helpers.conditions.when import Clock, Period
from clv_helpers.config.datasets import (
    LIFETIME_VALUE,
    NUMERIC,
    PRIMARY_IDENTITY,
    PRODUCT_ATTRIBUTES,
    PROFILE_MEASURES,
    TOUCH_ATTRIBUTES,
    ColumnContract,
    ColumnType,
)
from clv_helpers.config.row_expressions import read_expression
from clv_helpers.config.validation import Strict, nearest

if TYPE_CHECKING:
    from clv_helpers.config.params import Params

# What each is taken of: rows alone, or a column of one of these types.
DATED: tuple[ColumnType, ...] = ("date", "timestamp")
ANY: tuple[ColumnType, ...] = ("text", *NUMERIC, "boolean", *DATED)
ROWS: tuple[ColumnType, ...] = ()
OF: dict[str, tuple[ColumnType, ...]] = {
    "count": ROWS, "sum": NUMERIC, "average": NUMERIC, "min": (*NUMERIC, *DATED), "max": (*NUMERIC, *DATED),
    "distinct": ANY, "first": ANY, "last": ANY, "most frequent": ANY, "days since": ROWS, "share of": ROWS,
}  # fmt: skip
KINDS = tuple(OF)
ZERO = ("count", "distinct", "sum")  # of a customer without such an event; of the others nothing is known
UNITS = ("day", "week", "month", "year")
LONGEST = {"day": 3_650, "week": 520, "month": 120, "year": 10}
# A `where` must be the same on each day; two that are far apart tell.
CLOCKS = (Clock(dt.datetime(2001, 2, 3, 4, 5, 6)), Clock(dt.datetime(2030, 11, 12, 13, 14, 15)))


def _check_in_last(text: str) -> str:
    words = re.fullmatch(rf"([1-9]\d{{0,3}}) ({'|'.join(UNITS)})s?", text)
    if not words or int(words[1]) > LONGEST[words[2]]:
        raise ValueError("a number from 1 and a unit, such as 90 days, up to 10 years; units: day, week, month, year")
    return f"{words[1]} {words[2]}{'' if words[1] == '1' else 's'}"


class Aggregate(Strict):
    """What a customer's events come to: exactly one of the kinds, `of` a dataset or of a column of one."""

    count: str = ""
    """how many rows a dataset of events has of the customer: `count: web`"""
    sum: str = ""
    """the sum of a column of numbers: `sum: web.seconds`"""
    average: str = ""
    """the mean of a column of numbers, over the rows that have one"""
    min: str = ""
    """the least number, or the earliest day or moment"""
    max: str = ""
    """the greatest number, or the latest day or moment"""
    distinct: str = ""
    """how many different values a column has: `distinct: purchases.product_id`"""
    first: str = ""
    """the column's value in the earliest row that has one; of several rows of one moment the least"""
    last: str = ""
    """the column's value in the latest row that has one; of several rows of one moment the greatest"""
    most_frequent: str = Field(default="", alias="most frequent")
    """the value that most rows have: `most frequent: purchases.products.brand`, a column of a lookup; of several that
    as many have, the first by text"""
    days_since: str = Field(default="", alias="days since")
    """days from the latest row to `as_of`: `days since: web`"""
    share_of: str = Field(default="", alias="share of")
    """which share of the rows meets `where`: between 0 and 1"""
    where: Filter = None
    """which rows count: a condition, a list of conditions that are all met, or `all`, `any` and `not`"""
    in_last: Annotated[str, BeforeValidator(str), AfterValidator(_check_in_last)] | None = None
    """how long before `as_of` rows count, such as `90 days`; months and years on the calendar; none: whenever"""
    during: Period | None = None
    """in its place a year or a month: `2026`, `2026-05`"""

    @model_validator(mode="after")
    def _one_of_each(self) -> Aggregate:
        given = [kind for kind in KINDS if self._of(kind)]
        if len(given) != 1:
            raise ValueError(f"kind is {' and '.join(given) or 'missing'}; allowed: exactly one of {', '.join(KINDS)}")
        if self.in_last and self.during:
            raise ValueError(f"during is {self.during!r}; allowed: either in_last or during")
        if self.kind == "share of" and self.where is None:
            raise ValueError("where is missing; allowed: which rows the share is of, as conditions")
        return self

    def _of(self, kind: str) -> str:
        return str(getattr(self, kind.replace(" ", "_")))

    @property
    def kind(self) -> str:
        """Which of the kinds it is, as the params write it."""
        return next(kind for kind in KINDS if self._of(kind))

    @property
    def of(self) -> str:
        """The dataset, or `dataset.column`."""
        return self._of(self.kind)

    @property
    def dataset(self) -> str:
        return self.of.partition(".")[0]

    @property
    def column(self) -> str:
        """The column of the dataset, or `lookup.column`; empty where rows are counted."""
        return self.of.partition(".")[2]

    @property
    def columns(self) -> set[str]:
        """The columns of its dataset, and of lookups, that it reads."""
        return {self.column} - {""} | fields_of(self.where)

    @property
    def lookups(self) -> set[str]:
        """The lookups that it reads."""
        return {name.partition(".")[0] for name in self.columns if "." in name}

    def __str__(self) -> str:
        """Such as `Count of web in the last 90 days`."""
        name = f"{self.kind.capitalize()} {self.of}" if " of" in self.kind or "since" in self.kind else (
            f"{self.kind.capitalize()} of {self.of}"
        )  # fmt: skip
        when = f" in the last {self.in_last}" if self.in_last else f" during {self.during}" if self.during else ""
        return f"{name}{when}{f', where {_said(self.where)}' if self.where is not None else ''}"


def _said(part: Any) -> str:
    if isinstance(part, Condition):
        words = part.when.model_dump(by_alias=True, exclude_defaults=True) if part.when else part.value
        return f"{part.field} {part.op or 'when'}{'' if words is None else f' {words}'}"
    inner = [f"({_said(each)})" if isinstance(each, Container) else _said(each) for each in parts_of(part)]
    return f"not {inner[0]}" if part.kind == "not" else (" and " if part.kind == "all" else " or ").join(inner)


def _check_name(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,59}", name):
        raise ValueError("small letters, digits and _, such as visits_90_days")
    return name


def _check_formula(sql: str) -> str:
    _formula(sql)
    return sql


def _formula(sql: str) -> exp.Expression:
    try:
        return read_expression(sql)
    except ValueError as error:
        text = str(error).replace("headers of the file", "names of attributes").replace("the headers", "attributes")
        raise ValueError(text.replace("Quantity * Price", "visits / purchases")) from None


AttributeName = Annotated[str, AfterValidator(_check_name)]
AnyAttribute = Annotated[
    Annotated[Aggregate, Tag("<aggregate>")] | Annotated[str, AfterValidator(_check_formula), Tag("<arithmetic>")],
    Discriminator(lambda value: "<arithmetic>" if isinstance(value, str) else "<aggregate>"),
]


def aggregates(params: Params) -> dict[str, Aggregate]:
    """The attributes that are made of events."""
    return {name: each for name, each in params.attributes.items() if isinstance(each, Aggregate)}


def formulas(params: Params) -> dict[str, exp.Expression]:
    """The attributes that are arithmetic, each over what the profile holds without them: others are put in."""
    trees = {name: _formula(each) for name, each in params.attributes.items() if isinstance(each, str)}
    return {name: _arithmetic(_put_in(trees[name], trees)) for name in trees}


def _put_in(tree: exp.Expression, trees: dict[str, exp.Expression]) -> exp.Expression:
    def replace(node: exp.Expr) -> exp.Expr:
        inner = trees.get(node.name) if isinstance(node, exp.Column) else None
        return exp.paren(_put_in(inner, trees)) if inner is not None else node

    return tree.copy().transform(replace)  # type: ignore[return-value]


def _arithmetic(tree: exp.Expression) -> exp.Expression:
    """In floating point, whatever the types of its parts; what is divided by nothing is nothing."""

    def guard(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Div):
            return node
        double = exp.DataType.build("double")
        below = exp.func("NULLIF", exp.cast(node.expression.copy(), double), exp.Literal.number(0))
        return exp.Div(this=exp.cast(node.this.copy(), double), expression=below, typed=False, safe=False)

    def bottom_up(node: exp.Expression) -> exp.Expression:
        for key, value in list(node.args.items()):
            if isinstance(value, exp.Expression):
                node.set(key, bottom_up(value))
            elif isinstance(value, list):
                node.set(key, [bottom_up(v) if isinstance(v, exp.Expression) else v for v in value])
        return guard(node)  # type: ignore[return-value]

    return bottom_up(tree.copy())


def attribute_kind(params: Params, name: str) -> ColumnType:
    """What an attribute holds."""
    each = params.attributes[name]
    if not isinstance(each, Aggregate) or each.kind in ("average", "share of"):
        return "number"
    if each.kind in ("count", "distinct", "days since"):
        return "integer"
    return _columns(params, each)[each.column].type


def about(params: Params, name: str) -> str:
    """An attribute in words: `Count of web in the last 90 days`, `visits / purchases`."""
    return str(params.attributes[name])


def aggregate_test(params: Params, aggregate: Aggregate, alias: str) -> exp.Expr | None:
    """The `where` of an aggregate as a test of rows of what bears an alias; none where all count."""
    if aggregate.where is None:
        return None
    return row_test(aggregate.where, attributes_of(_columns(params, aggregate)), alias, CLOCKS[0])


def check_aggregate(params: Params, aggregate: Aggregate, place: str) -> None:
    """Raise ValueError, with the place, for an aggregate that the datasets of the params cannot give."""
    made_of = {name: params.sessions.get(name, name) for name in params.event_datasets}
    datasets = [name for name, source in made_of.items() if source in params.sources]
    if aggregate.dataset not in datasets:
        raise ValueError(f"{place}.{aggregate.kind} is {aggregate.of!r}; allowed: {_near(aggregate.dataset, datasets)}")
    if not params.sources[made_of[aggregate.dataset]].profile_enabled:
        raise ValueError(f"{place} is of {aggregate.dataset}, whose profile_enabled is false; allowed: true")
    _check_column(params, aggregate, place)
    columns = _columns(params, aggregate)
    for path, condition in conditions_of(aggregate.where, f"{place}.where"):
        for problem in condition_problems(path, condition, attributes_of(columns), aggregate.dataset):
            raise ValueError(str(problem))
    if aggregate.where is not None:
        _check_lasts(aggregate.where, columns, place)


def _check_column(params: Params, aggregate: Aggregate, place: str) -> None:
    kinds, columns = OF[aggregate.kind], _columns(params, aggregate)
    place, fitting = f"{place}.{aggregate.kind} is {aggregate.of!r}", [n for n, c in columns.items() if c.type in kinds]
    if not kinds and aggregate.column:
        raise ValueError(f"{place}; allowed: a dataset alone, as {aggregate.dataset}")
    if kinds and aggregate.column not in columns:
        allowed = [f"{aggregate.dataset}.{name}" for name in fitting]
        raise ValueError(f"{place}; allowed: {_near(aggregate.of, allowed)}")
    if kinds and aggregate.column not in fitting:
        numbers = ", ".join(f"{aggregate.dataset}.{name}" for name in fitting) or "no column of this dataset"
        raise ValueError(f"{place}, of type {columns[aggregate.column].type}; allowed: {numbers}")


def _check_lasts(where: Condition | Where, columns: dict[str, ColumnContract], place: str) -> None:
    early, late = (row_test(where, attributes_of(columns), "e", clock) for clock in CLOCKS)
    if early != late:
        raise ValueError(f"{place}.where is a test that moves with now; allowed: a day in it, or in_last beside it")


def check_attributes(params: Params, own_columns: Collection[str] = ()) -> None:
    """Raise ValueError, with the place, for attributes that the params cannot give, or that need each other.

    `own_columns`: those that an analyst's tables add to the profile; of what type they are, only the engine knows.
    """
    taken = profile_columns(params)
    for name, each in params.attributes.items():
        place = f"attributes.{name}"
        if name in taken or name == PRIMARY_IDENTITY:
            raise ValueError(f"{place} is what the profile calls a column of its own; allowed: another name")
        if isinstance(each, Aggregate):
            check_aggregate(params, each, place)
    known = [*taken, *params.attributes, *own_columns]
    trees = {name: _formula(each) for name, each in params.attributes.items() if isinstance(each, str)}
    for name, tree in trees.items():
        for column in tree.find_all(exp.Column):
            if column.name not in known:
                allowed = nearest(column.name, known)
                raise ValueError(f"attributes.{name} is of {column.name!r}; allowed: {_plain(allowed)}")
        _check_number(params, name, tree)
    for name in trees:
        circle = next(_circles(name, trees, ()), None)
        if circle:
            raise ValueError(f"attributes.{name} is made of itself: {' → '.join(circle)}; allowed: no circle")


def _check_number(params: Params, name: str, tree: exp.Expression) -> None:
    """Texts and days may be compared, in a CASE, and not be calculated with."""
    kinds = profile_columns(params) | {
        each: attribute_kind(params, each)
        for each in params.attributes
        if isinstance(params.attributes[each], Aggregate)
    }
    calculated = tree.find_all(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Neg)
    sides = [side for node in calculated for side in (node.this, node.args.get("expression")) if side is not None]
    for side in [tree, *sides]:
        bare = side.unnest()
        if isinstance(bare, exp.Column) and kinds.get(bare.name, "number") not in NUMERIC:
            raise ValueError(f"attributes.{name} is made with {bare.name}, of type {kinds[bare.name]}; "
                             "allowed: numbers")  # fmt: skip
    if isinstance(tree.unnest(), exp.DPipe | exp.Predicate | exp.Connector | exp.Not) or (
        isinstance(tree.unnest(), exp.Literal) and tree.unnest().is_string
    ):
        raise ValueError(f"attributes.{name} is no number; allowed: arithmetic, such as visits / purchases")


def _circles(name: str, trees: dict[str, exp.Expression], way: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if name in way:
        yield (*way[way.index(name) :], name)
        return
    for column in trees[name].find_all(exp.Column) if name in trees else ():
        yield from _circles(column.name, trees, (*way, name))


def profile_columns(params: Params) -> dict[str, ColumnType]:
    """What the profile holds of a customer without attributes, with the types."""
    customers = {name: each.type for name, each in params.contract("customers").items() if name != PRIMARY_IDENTITY}
    own = params.sources["purchases"].columns or {}
    last = {f"last_{name}": params.contract("purchases")[name].type for name, spec in own.items() if spec.attribute}
    places: dict[str, ColumnType] = {name: "integer" for each in params.deciles for name in each.columns}
    products: dict[str, ColumnType] = dict.fromkeys(PRODUCT_ATTRIBUTES, "text") if params.has_products else {}
    bots: dict[str, ColumnType] = {"is_bot": "boolean"} if params.bots else {}
    touches: dict[str, ColumnType] = dict.fromkeys(TOUCH_ATTRIBUTES, "text") if params.attribution else {}
    return {
        **customers,
        **last,
        **bots,
        **touches,
        **products,
        **places,
        **{name: measure_kind(name) for name in PROFILE_MEASURES},
    }


def measure_kind(name: str) -> ColumnType:
    """What a measure of the profile holds."""
    if name in LIFETIME_VALUE:
        return LIFETIME_VALUE[name]
    if name in ("value", "spend", "monetary_value"):
        return "number"
    return "date" if name.endswith("_on") else "text" if name in ("category", "rfm_segment") else "integer"


def _columns(params: Params, aggregate: Aggregate) -> dict[str, ColumnContract]:
    from clv_helpers.config.event_rows import event_columns  # which is of params

    return event_columns(params, aggregate.dataset)


def attributes_of(columns: dict[str, ColumnContract]) -> dict[str, Asked]:
    """Columns as conditions know them."""
    return {name: Asked(name, "number" if c.type == "decimal" else c.type, "") for name, c in columns.items()}


def _near(word: str, known: list[str]) -> str:
    return _plain(nearest(word, known)) if known else "nothing, as there are no events"


def _plain(allowed: str) -> str:
    return allowed.removeprefix("did you mean ").removesuffix("?")
