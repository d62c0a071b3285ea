"""What in a rule could be written shorter, or costs more than it needs to."""

from __future__ import annotations

import re

from clv_helpers.audiences.rule import (
    AnyPart,
    Audience,
    Condition,
    EventCondition,
    Leaf,
    Rule,
    SequenceCondition,
    parts_of,
    walk,
)


def hints(audience: Audience) -> list[str]:
    """What could be written shorter, or costs more than it needs to, each in a sentence that names the place."""
    sentences = [f"{path}: {hint}" for path, leaf in walk(audience.rule) if (hint := _about_condition(leaf))]
    return sentences + _about_containers(audience.rule)


def _about_condition(leaf: Leaf) -> str:
    match leaf:
        case Condition(op="matches", value=str(pattern)) if re.fullmatch(r"\^?[\w @-]+", pattern):
            plain = "starts with" if pattern.startswith("^") else "contains"
            return f"`{plain}` does the same as this regular expression, and is faster."
        case SequenceCondition(sequence=steps) if not any(step.when or step.within for step in steps):
            return "without `when` or `within`, all events ever are compared with each other."
        case EventCondition(where=None, when=None):
            return "without `when` or `where`, all events ever are read."
    return ""


def _about_containers(part: AnyPart, path: str = "rule") -> list[str]:
    if not isinstance(part, Rule):
        return []
    inner = parts_of(part)
    sentences = []
    if part.kind != "not" and len(inner) == 1 and isinstance(inner[0], Rule):
        sentences.append(f"{path}: a container in a container of its own can be unwrapped.")
    equal = [c.field for c in inner if isinstance(c, Condition) and c.op == "equals"] if part.kind == "any" else []
    repeated = sorted({field for field in equal if equal.count(field) > 1})
    sentences += [f"{path}: several `equals` on {field} are one `in`." for field in repeated]
    for below, place in zip(inner, part.places(path), strict=True):
        sentences += _about_containers(below, place)
    return sentences
