"""The fields of one condition on a column as the builder shows them, and what a change of one makes of the condition.

A field is plain values: `key` (what a change of it names), `type` (choice, text, number, duration, day, values, check,
block), `label`, `value`, `options` (pairs of a value and its text), and `more` where it is folded away.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

from clv_helpers.audiences.sentence import TESTS
from clv_helpers.conditions import OPERATORS_OF, Attribute
from clv_helpers.conditions.checks import comparable, comparisons_of
from clv_helpers.conditions.condition import as_list
from clv_helpers.config.validation import parse_value

Raw = dict[str, Any]
Field = dict[str, Any]
ANY_TIME = "at any time"
TIMES: dict[str, Raw] = {  # what is chosen, and the constraint as it begins
    "in the last": {"in_last": " days"}, "in the next": {"in_next": " days"},
    **{moving: {"is": moving} for moving in ("today", "yesterday", "this month", "this year")},
    "on": {"on": ""}, "from … to": {"from": "", "to": ""}, "during": {"during": ""}, "before": {"before": ""},
    "after": {"after": ""}, "within … of": {"within": " days", "of": ""}, "between": {"rolling": ["", ""]},
}  # fmt: skip
TIME_INPUTS = {
    "in_last": ("duration", "How long"), "in_next": ("duration", "How long"), "within": ("duration", "How long"),
    "on": ("text", "Day, such as 2026-01-31"), "of": ("text", "of the day, such as today or 2026-01-31"),
    "from": ("day", "First day"), "to": ("day", "Last day"), "during": ("text", "Year or month, such as 2026-05"),
    "before": ("text", "Day, or such as 90 days ago"), "after": ("text", "Day, or such as 90 days ago"),
}  # fmt: skip
ONE_OF_A_YEAR = ("on", "from … to", "during", "within … of", "today", "yesterday", "this month")
WITHOUT_VALUE = ("exists", "missing", "all")
YES_NO = [["true", "yes"], ["false", "no"]]


def field(key: str, type: str, label: str, value: Any, **more: Any) -> Field:
    """One field."""
    return {"key": key, "type": type, "label": label, "value": value, **more}


def words_of(op: str) -> str:
    """An operator as its field shows it."""
    return TESTS[op].replace("/{}/", "").replace("{}", "").strip()


# when


def time_of(when: Raw | None) -> str:
    """Which of TIMES a constraint is."""
    given = set(when or {}) - {"ignore_year"}
    if "is" in given:
        return str((when or {})["is"])
    return next((choice for choice, begun in TIMES.items() if set(begun) == given), ANY_TIME)


def time_fields(when: Raw | None) -> list[Field]:
    """The fields beside the choice of a time."""
    when, choice = when or {}, time_of(when)
    fields = [field(f"when.{key}", *TIME_INPUTS[key], when[key]) for key in TIMES.get(choice, {}) if key in TIME_INPUTS]
    if choice == "between":
        examples = ("From, such as 90 days ago", "To, such as 30 days ago")
        fields = [field(f"when.rolling.{i}", "text", examples[i], when["rolling"][i]) for i in (0, 1)]
    if choice in ONE_OF_A_YEAR:
        fields.append(field("when.ignore_year", "check", "in any year", when.get("ignore_year", False), more=True))
    return fields


def lacking_time(when: Raw | None) -> str:
    """What a constraint still lacks, in a sentence."""
    for key, value in (when or {}).items():
        if key in ("in_last", "in_next", "within") and not re.match(r"\s*\d", value):
            return "Now say how long: enter a number."
        if any(text == "" for text in as_list(value)):
            return "Now say when."
    return ""


# a condition on a column


def new_condition(attribute: Attribute) -> Raw:
    """A condition as it begins, to be filled in."""
    if attribute.is_date:
        return {"field": attribute.name, "when": copy.deepcopy(TIMES["in the last"])}
    if attribute.kind == "text":
        return {"field": attribute.name, "op": "in", "value": []}
    if attribute.kind == "boolean":
        return {"field": attribute.name, "op": "equals", "value": True}
    op = "at most" if attribute.name.startswith("decile") else "at least"
    return {"field": attribute.name, "op": op, "value": ""}


def condition_fields(
    condition: Raw, columns: dict[str, Attribute], title: Callable[[str], str], values: Callable[[str], list[str]]
) -> list[Field]:
    """The fields of a condition; `title`: of a column, `values`: those that a column may be offered with."""
    attribute = columns.get(condition["field"])
    if attribute is None:
        return []
    others = comparable(attribute, columns)
    fields = [field("op", "choice", "Comparison", _op_of(condition), options=_operators(attribute, others))]
    if "when" in condition:
        fields += time_fields(condition["when"])
    else:
        fields += _compared(condition, attribute, title, others, values)
    if attribute.kind == "text" and condition.get("op") not in WITHOUT_VALUE and "than" not in condition:
        alike = condition.get("ignore_case", False)
        fields.append(field("ignore_case", "check", "small and capital letters alike", alike, more=True))
    missing = condition.get("or_missing", False)
    return [*fields, field("or_missing", "check", "or it is not known", missing, more=True)]


def _compared(
    condition: Raw,
    attribute: Attribute,
    title: Callable[[str], str],
    others: list[str],
    values: Callable[[str], list[str]],
) -> list[Field]:
    """The fields for what a column is compared with: a value, or another column."""
    is_value = "than" not in condition
    fields = value_fields(condition, attribute.kind, values) if is_value else []
    if condition.get("op") not in comparisons_of(attribute.kind) or not others:
        return fields
    options = [*([] if attribute.is_date else [["", "a value"]]), *([name, title(name)] for name in others)]
    than, is_more = condition.get("than", ""), is_value and not attribute.is_date
    fields.append(field("than", "choice", "Compared with", than, options=options, more=is_more))
    if not is_value and attribute.kind not in ("text", "boolean"):
        fields.append(field("plus", "text", "plus", str(condition.get("plus", "")), more=not condition.get("plus")))
    return fields


def _op_of(condition: Raw) -> str:
    return f"when {time_of(condition['when'])}" if "when" in condition else condition.get("op", "")


def _operators(attribute: Attribute, others: list[str]) -> list[list[str]]:
    times = [[f"when {choice}", f"is {choice}"] for choice in TIMES] if attribute.is_date else []
    compared = comparisons_of(attribute.kind) if attribute.is_date and others else ()
    return times + [[op, words_of(op)] for op in (*OPERATORS_OF[attribute.kind], *compared)]


def value_fields(condition: Raw, kind: str, values: Callable[[str], list[str]]) -> list[Field]:
    """The fields for the value that is compared with."""
    op, value = condition.get("op", ""), condition.get("value")
    if op in WITHOUT_VALUE:
        return []
    offered = [[each, each] for each in values(condition.get("field", ""))] if kind == "text" else []
    if op in ("in", "not in"):
        return [field("value", "values", "Values", [str(each) for each in as_list(value)], options=offered)]
    if kind == "boolean":
        return [field("value", "choice", "Value", str(value).lower(), options=YES_NO)]
    shown = "number" if kind in ("integer", "number") else "text"
    if op == "between":
        lowest, highest = [*as_list(value), "", ""][:2]
        return [field("value.0", shown, "Lowest", str(lowest)), field("value.1", shown, "and highest", str(highest))]
    return [field("value", shown, "Value", "" if value is None else str(value), options=offered)]


def lacking(condition: Raw) -> str:
    """What a condition still lacks, in a sentence; empty where nothing does."""
    if "when" in condition:
        return lacking_time(condition["when"])
    op, given = condition.get("op"), as_list(condition.get("value"))
    if "than" in condition or op in WITHOUT_VALUE:
        return ""
    if op in ("in", "not in"):
        return "" if given else "Now choose at least one value."
    if not given or any(value == "" for value in given):
        return "Now enter both ends." if op == "between" else "Now enter a value."
    return ""


def changed(condition: Raw, key: str, value: Any, columns: dict[str, Attribute]) -> Raw:
    """The condition once one of its fields has another value."""
    attribute = columns[condition["field"]]
    if key == "op":
        return with_op(condition, value, comparable(attribute, columns) if attribute.is_date else [])
    if key == "than":
        kept = without(condition, "than", "plus", "value", "ignore_case")
        return kept | ({"than": value} if value else {"value": ""})
    if key == "plus":
        plus = value.strip() if attribute.is_date else typed(value.strip(), "number")
        return without(condition, "plus") | ({"plus": plus} if plus else {})
    if key.startswith("value"):
        listed = isinstance(value, list)
        value = [typed(each, attribute.kind) for each in value] if listed else typed(value, attribute.kind)
    return put(condition, key, value)


def with_op(condition: Raw, op: str, others: list[str] | None = None) -> Raw:
    """The condition with another operator; a value that goes with it stays. `others`: dates to compare a date with."""
    kept = without(condition, "op", "value", "when", "than", "plus")
    if op.startswith("when "):
        return kept | {"when": copy.deepcopy(TIMES[op.removeprefix("when ")])}
    given = as_list(condition.get("value"))
    if op in WITHOUT_VALUE:
        return kept | {"op": op}
    if "than" in condition or others:
        return kept | {"op": op, "than": condition.get("than") or (others or [""])[0]}
    if op in ("in", "not in"):
        return kept | {"op": op, "value": [value for value in given if value != ""]}
    if op == "between":
        return kept | {"op": op, "value": [*given, "", ""][:2]}
    return kept | {"op": op, "value": next(iter(given), "")}


def without(raw: Raw, *keys: str) -> Raw:
    """A copy that lacks some keys."""
    return {name: each for name, each in raw.items() if name not in keys}


def put(raw: Raw, key: str, value: Any) -> Raw:
    """A copy with one value at a dotted place, such as `when.rolling.0`; what is not ticked is not written."""
    changed = copy.deepcopy(raw)
    node: Any = changed
    *way, last = [int(part) if part.isdigit() else part for part in key.split(".")]
    for part in way:
        node = node[part]
    if value is False and last != "value":
        node.pop(last, None)
    else:
        node[last] = value
    return changed


def typed(text: Any, kind: str) -> Any:
    """What is typed, in the type of the column; what does not fit it stays text, for the check to name."""
    if kind in ("integer", "number", "boolean") and isinstance(text, str) and re.fullmatch(r"[-+\w.]+", text.strip()):
        value = parse_value(text.strip())
        return value if isinstance(value, int | float | bool) else text
    return text
