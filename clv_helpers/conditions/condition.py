"""A condition on a column of one row, and containers of conditions: what a `where` may hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Discriminator, Field, FiniteFloat, Tag, model_validator

from clv_helpers.conditions.when import When
from clv_helpers.config.validation import Strict
from clv_helpers.engines.file_scan import regular_expression_problem

Value = str | int | FiniteFloat | bool
Operator = Literal[
    "equals", "not equals", "contains", "not contains", "starts with", "not starts with", "ends with", "not ends with",
    "matches", "not matches", "in", "not in", "at most", "at least", "less than", "more than", "between",
    "exists", "missing",
]  # fmt: skip
Comparison = Literal["equals", "not equals", "at most", "at least", "less than", "more than"]
OPERATORS: tuple[str, ...] = get_args(Operator)
COMPARISONS: tuple[str, ...] = get_args(Comparison)
TEXT_TESTS = ("contains", "starts with", "ends with", "matches")
MEASURES = [*COMPARISONS, "between"]


def as_list(value: Value | list[Value] | None) -> list[Value]:
    """The values of a condition, of which there are none, one or several."""
    return value if isinstance(value, list) else [] if value is None else [value]


def check_value(op: str | None, value: Value | list[Value] | None) -> None:
    """Raise ValueError for a value that does not go with an operator."""
    if any(isinstance(text, str) and "\0" in text for text in as_list(value)):
        raise ValueError("value is a text with the character NUL; allowed: any other text")
    if op is not None and (allowed := _allowed_value(op, value)):
        raise ValueError(f"value is {value!r}; allowed: {allowed}")


def _allowed_value(op: str, value: Value | list[Value] | None) -> str:
    """What an operator takes in place of a value; empty where it takes the value."""
    count, several = len(as_list(value)), isinstance(value, list)
    if op in ("exists", "missing", "all"):
        return f"nothing, as {op} asks for no value" if count else ""
    if op == "between":
        return "" if several and count == 2 else "two values, the lowest and the highest"
    if op in ("in", "not in"):
        return "" if several and count else "a list of at least one value"
    if several or not count:
        return "one value"
    if op.endswith("matches") and (problem := regular_expression_problem(str(value))):
        return f"a regular expression that RE2 compiles ({problem})"
    return ""


Number = Annotated[int, Field(ge=-(10**12), le=10**12)] | Annotated[FiniteFloat, Field(ge=-1e12, le=1e12)]
Days = Annotated[str, Field(pattern=r"^-?\d{1,5} days?$")]


class Condition(Strict):
    """One question about an attribute of the customer, or about a column of an event."""

    field: str = Field(min_length=1)
    """an attribute of the profile; in `where`, a column of the event"""
    op: Operator | None = None
    """how it is compared; or `when` in its place"""
    value: Value | list[Value] | None = None
    """what it is compared with: a list for `in` and `not in`, two for `between`, none for `exists` and `missing`"""
    than: str | None = Field(default=None, min_length=1)
    """in place of a value another attribute of the same kind; in `where`, a column of the same event"""
    plus: Number | Days = 0
    """what is added to that first: a number, or days for dates, such as `-30 days`"""
    when: When | None = None
    """for a date or a moment: when it is"""
    ignore_case: bool = False
    """whether small and capital letters are alike"""
    or_missing: bool = False
    """whether who lacks a value (of the two with `than` either) meets it too; otherwise they meet only `missing`"""

    @model_validator(mode="after")
    def _fits(self) -> Condition:
        if (self.op is None) == (self.when is None):
            raise ValueError(f"op is {self.op!r}; allowed: one of {', '.join(OPERATORS)}, or when in its place")
        if self.than is None:
            if self.plus:
                raise ValueError(f"plus is {self.plus!r}; allowed: beside than")
            if self.when and self.value is not None:
                raise ValueError(f"value is {self.value!r}; allowed: nothing beside when")
            check_value(self.op, self.value)
        elif self.op not in COMPARISONS:
            raise ValueError(f"op is {self.op!r}; allowed: beside than {', '.join(COMPARISONS)}")
        elif self.value is not None or self.ignore_case:
            raise ValueError(f"than is {self.than!r}; allowed: without value and ignore_case")
        return self

    @property
    def days(self) -> int:
        """The days that are added to a date."""
        return int(self.plus.split()[0]) if isinstance(self.plus, str) else 0


class Container(Strict):
    """What holds parts in exactly one of the ways `all`, `any` and `not`; the models made of it say what parts."""

    all: list[Any] | None = Field(default=None, min_length=1)
    any: list[Any] | None = Field(default=None, min_length=1)
    not_: Any = Field(default=None, alias="not")

    @model_validator(mode="after")
    def _exactly_one(self) -> Container:
        if sum(part is not None for part in (self.all, self.any, self.not_)) != 1:
            raise ValueError("rule is given with none or several of all, any, not; allowed: exactly one of them")
        return self

    @property
    def kind(self) -> Literal["all", "any", "not"]:
        """How the parts are joined."""
        return "not" if self.not_ is not None else "all" if self.all is not None else "any"


class Where(Container):
    """A container of conditions on one row, and of further containers: exactly one of `all`, `any` and `not`."""

    all: list[WherePart] | None = Field(default=None, min_length=1)
    """parts that are all met"""
    any: list[WherePart] | None = Field(default=None, min_length=1)
    """parts of which at least one is met"""
    not_: WherePart | None = Field(default=None, alias="not")
    """a part that is not met"""


def _kind_of(part: Any) -> str:
    is_condition = isinstance(part, Condition) or (isinstance(part, dict) and "field" in part)
    return "<condition>" if is_condition else "<where>"


def listed_as_all(value: Any) -> Any:
    """A list of parts stands for all of them."""
    return {"all": value} if isinstance(value, list) and value else value


WherePart = Annotated[
    Annotated[Condition, Tag("<condition>")] | Annotated[Where, Tag("<where>")],
    Discriminator(_kind_of),
]
Filter = Annotated[WherePart | None, BeforeValidator(listed_as_all)]  # as a key called where has it; none: no condition
Where.model_rebuild()


def parts_of(container: Container) -> list[Any]:
    """What is directly in a container."""
    return [container.not_] if container.not_ is not None else [*(container.all or container.any or [])]


def nodes(part: Any, path: str = "rule") -> Iterator[tuple[str, Any]]:
    """A part and all below it with their places in the file; not the `where` of events."""
    yield path, part
    if isinstance(part, Container):
        for index, inner in enumerate(parts_of(part)):
            yield from nodes(inner, f"{path}.not" if part.kind == "not" else f"{path}.{part.kind}[{index}]")


def conditions_of(where: Condition | Where | None, path: str = "where") -> Iterator[tuple[str, Condition]]:
    """The conditions of a `where` with their places in the file."""
    if where is not None:
        yield from ((place, part) for place, part in nodes(where, path) if isinstance(part, Condition))


def fields_of(where: Condition | Where | None) -> set[str]:
    """The columns that a `where` reads, those that others are compared with among them."""
    return {name for _, each in conditions_of(where) for name in (each.field, each.than) if name}
