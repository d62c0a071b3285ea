"""Whether a condition fits the columns there are: the column, the operator, the value."""

from __future__ import annotations

from clv_helpers.conditions.columns import Attribute
from clv_helpers.conditions.condition import COMPARISONS, TEXT_TESTS, Condition, Value, as_list
from clv_helpers.config.validation import Problem

ORDER = ("equals", "not equals", "in", "not in")
COMPARED = ("equals", "not equals", "at most", "at least", "less than", "more than", "between", "in", "not in")
TEXTUAL = (*ORDER, *TEXT_TESTS, *(f"not {test}" for test in TEXT_TESTS))
OPERATORS_OF = {
    "text": (*TEXTUAL, "exists", "missing"),
    "integer": (*COMPARED, "exists", "missing"),
    "number": (*COMPARED, "exists", "missing"),
    "boolean": ("equals", "not equals", "exists", "missing"),
    "date": ("exists", "missing"),
    "timestamp": ("exists", "missing"),
}


def condition_problems(path: str, condition: Condition, columns: dict[str, Attribute], where: str) -> list[Problem]:
    """What is wrong in a condition at a place in a file, for the columns of `where` (the profile, a dataset)."""
    attribute = columns.get(condition.field)
    if attribute is None:
        return [Problem(f"{path}.field", f"{condition.field!r}, not in {where}", ", ".join(columns))]
    typed = f"{attribute.name}, of type {attribute.kind}"
    if condition.when:
        return [] if attribute.is_date else [Problem(f"{path}.when", f"asked of {typed}", "a date or a time")]
    if condition.than is not None:
        return _comparison_problems(path, condition, attribute, columns)
    if condition.op not in OPERATORS_OF[attribute.kind]:
        allowed = ", ".join(OPERATORS_OF[attribute.kind]) + (", or when" if attribute.is_date else "")
        return [Problem(f"{path}.op", f"{condition.op!r} for {typed}", allowed)]
    wrong = [value for value in as_list(condition.value) if not _fits(value, attribute)]
    if wrong:
        return [Problem(f"{path}.value", f"{wrong[0]!r} for {attribute.name}", f"a value of type {attribute.kind}")]
    if condition.ignore_case and attribute.kind != "text":
        return [Problem(f"{path}.ignore_case", f"asked of {typed}", "a text")]
    return []


def comparable(attribute: Attribute, columns: dict[str, Attribute]) -> list[str]:
    """The other columns with which one can be compared: those of the same kind, any number with any."""
    alike = ("integer", "number") if attribute.is_number else (attribute.kind,)
    return [name for name, other in columns.items() if other.kind in alike and name != attribute.name]


def comparisons_of(kind: str) -> tuple[str, ...]:
    """The operators that compare two columns of a kind: of texts and of yes or no, only whether they are equal."""
    return ("equals", "not equals") if kind in ("text", "boolean") else COMPARISONS


def _comparison_problems(
    path: str, condition: Condition, attribute: Attribute, columns: dict[str, Attribute]
) -> list[Problem]:
    others, operators = comparable(attribute, columns), comparisons_of(attribute.kind)
    if condition.than not in others:
        return [Problem(f"{path}.than", f"{condition.than!r} for {attribute.name}", ", ".join(others) or "no column")]
    if condition.op not in operators:
        typed = f"two columns of type {attribute.kind}"
        return [Problem(f"{path}.op", f"{condition.op!r} for {typed}", ", ".join(operators))]
    allowed = "days, such as 30 days" if attribute.is_date else "a number" if attribute.is_number else "nothing"
    wanted = str if attribute.is_date else int | float if attribute.is_number else ()
    if condition.plus and not isinstance(condition.plus, wanted):
        return [Problem(f"{path}.plus", f"{condition.plus!r} for {attribute.name}", allowed)]
    return []


def _fits(value: Value, attribute: Attribute) -> bool:
    if attribute.is_number:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, bool if attribute.kind == "boolean" else str)
