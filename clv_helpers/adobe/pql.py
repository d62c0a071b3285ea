"""A rule in the platform's profile query language (PQL): as text, as pql/json, and wrapped as a segment definition.

One tree of pql/json nodes (fnApply, fieldLookup, parameterReference, literal) is built, and text is written from it.
Functions are those of Adobe's PQL reference. It documents the functions but not each one's node: the nodes here are
their documented signatures. What has no documented form raises CannotExpress, which names it.
Our columns are expected in the tenant's object, deciles in the guide's shape, the dataset's name as eventType.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any

from clv_helpers.audiences.formats import CannotExpress
from clv_helpers.audiences.rule import (
    AnyPart,
    Audience,
    AudienceCondition,
    EventCondition,
    MapCondition,
    SequenceCondition,
    Step,
    walk,
)
from clv_helpers.conditions.condition import Condition, Container, Where, as_list, parts_of
from clv_helpers.conditions.when import Clock, When, month_days, parse_duration, shift
from clv_helpers.config.datasets import EVENT_TIME
from clv_helpers.config.deciles import map_of

TENANT = "_tenant"
Node = dict[str, Any]
INFIX = {
    "equals": "=", "not equals": "!=", "at most": "<=", "at least": ">=", "less than": "<", "more than": ">",
    "in": "in", "not in": "notIn",
}  # fmt: skip
METHODS = {
    "contains": "contains", "not contains": "doesNotContain", "starts with": "startsWith",
    "not starts with": "doesNotStartWith", "ends with": "endsWith", "not ends with": "doesNotEndWith",
}  # fmt: skip
NEXT = {"yesterday": "today", "today": "tomorrow"}
LITERALS = {bool: "Boolean", int: "Integer", float: "Double", str: "String"}


def to_text(audience: Audience, tenant: str = TENANT) -> str:
    """The rule as pql/text. Raises CannotExpress."""
    return _text(to_node(audience, tenant))


def to_json(audience: Audience, tenant: str = TENANT) -> str:
    """The rule as pql/json. Raises CannotExpress, for a sequence too: its node is not documented."""
    if any(isinstance(leaf, SequenceCondition) for _, leaf in walk(audience.rule)):
        raise CannotExpress("pql/json has no documented node for a sequence of events; pql/text has: chain")
    return json.dumps(to_node(audience, tenant), ensure_ascii=False)


def to_definition(name: str, audience: Audience, form: str = "pql/text", tenant: str = TENANT) -> dict[str, Any]:
    """The body for POST /data/core/ups/segment/definitions, with the default merge policy. Raises CannotExpress."""
    streams = audience.evaluation == "streaming"
    return {
        "name": name,
        "description": audience.description or audience.title,
        "profileInstanceId": "ups",
        "schema": {"name": "_xdm.context.profile"},
        "expression": {
            "type": "PQL",
            "format": form,
            "value": to_json(audience, tenant) if form == "pql/json" else to_text(audience, tenant),
        },
        "evaluationInfo": {
            "batch": {"enabled": not streams},
            "continuous": {"enabled": streams},
            "synchronous": {"enabled": False},
        },
    }


def to_node(audience: Audience, tenant: str = TENANT) -> Node:
    """The rule as a tree of pql/json nodes; a chain stands for a sequence. Raises CannotExpress."""
    if audience.time_zone != "UTC" and '"when"' in audience.model_dump_json(exclude_defaults=True):
        raise CannotExpress(f"PQL reads days and months in UTC only, and this rule in {audience.time_zone}")
    if beyond := audience.beyond_rule:
        raise CannotExpress(f"PQL says a rule alone, and this audience has {' and '.join(beyond)}")
    node = json.dumps(_part(audience.whole, exact=False))
    return json.loads(node, object_hook=lambda n: {**n, "fieldName": tenant} if n.get("fieldName") == TENANT else n)


def _part(part: AnyPart | Where, exact: bool, in_event: bool = False) -> Node:
    """A part of a rule, or of an event's `where`; `exact`: false, not unknown, where a field has no value."""
    match part:
        case Container(not_=inner) if inner is not None:
            return _apply("not", _part(inner, True, in_event))
        case Container():
            return _joined("and" if part.kind == "all" else "or", [_part(p, exact, in_event) for p in parts_of(part)])
        case Condition():
            is_moment = in_event and part.field == EVENT_TIME
            field = _field("timestamp") if is_moment else _field(TENANT, part.field)
            if part.than is not None:
                return _comparison(part, field, exact)
            test = _when(part.when, field) if part.when else _value_test(part, field, part.ignore_case)
            return _null_safe(part, test, field, exact)
        case MapCondition():
            of_value = ("decilesMileage", f"decileMonth{part.lookback_months or 'All'}")
            name, entry_of = of_value if part.lookback is None else (part.map, map_of(part.lookback))
            entry = _apply("get", _field(TENANT, name, entry_of), _literal(part.category))
            return _null_safe(part, _value_test(part, entry), entry, exact)
        case EventCondition():
            return _event(part)
        case SequenceCondition():
            return _apply("chain", *(_step(step) for step in part.sequence))
        case AudienceCondition():
            return _apply("inSegment", _literal(part.audience))
    raise CannotExpress("PQL says a rule alone")  # to_node has named what there is beyond


def _null_safe(part: Condition | MapCondition, test: Node, field: Node, exact: bool) -> Node:
    if part.or_missing:
        return _apply("or", _apply("isNull", field), test)
    op = part.op or ""
    sure = op in ("exists", "missing")
    return _apply("and", _apply("isNotNull", field), test) if (exact or op.startswith("not ")) and not sure else test


def _comparison(part: Condition, field: Node, exact: bool) -> Node:
    if isinstance(part.plus, str):
        raise CannotExpress("PQL has no documented form for days added to an attribute")
    other = than = _field(TENANT, part.than or "")
    if part.plus:
        other = _apply("-" if part.plus < 0 else "+", than, _literal(abs(part.plus)))
    test = _apply(INFIX[part.op or ""], field, other)
    if part.or_missing:
        return _apply("or", _apply("isNull", field), _apply("isNull", than), test)
    if exact or part.op == "not equals":
        return _apply("and", _apply("isNotNull", field), _apply("isNotNull", than), test)
    return test


def _value_test(asked: Condition | MapCondition | EventCondition, field: Node, ignore_case: bool = False) -> Node:
    op, value = asked.op or "", asked.value
    if op in ("exists", "missing"):
        return _apply("isNotNull" if op == "exists" else "isNull", field)
    if op == "between":
        low, high = map(_literal, as_list(value))
        return _apply("and", _apply(">=", field, low), _apply("<=", field, high))
    if op in ("matches", "not matches"):
        test = _apply("matches", field, _literal(_whole(str(value), ignore_case)))
        return _apply("not", test) if op == "not matches" else test
    if op in METHODS:
        return _apply(METHODS[op], field, _literal(value), *([_literal(False)] if ignore_case else []))
    if ignore_case and op in ("equals", "not equals"):
        return _apply("equals" if op == "equals" else "notEqualTo", field, _literal(value), _literal(False))
    if ignore_case:
        raise CannotExpress(f"PQL's {INFIX[op]} distinguishes small and capital letters, and this rule does not")
    return _apply(INFIX[op], field, _literal(value))


def _whole(pattern: str, ignore_case: bool) -> str:
    """Ours is found anywhere in the text, Java's `matches` spans all of it."""
    if "(?P<" in pattern or "\\C" in pattern:
        raise CannotExpress(f"PQL's regular expressions are Java's, which lack a part of {pattern!r}")
    return f"(?{'i' if ignore_case else ''}s).*(?-s:{pattern}).*"


def _event(event: EventCondition) -> Node:
    none = _literal(0)
    if event.op == "all":
        chosen = _apply("filter", _field("xEvent"), _predicate(event, with_where=False))
        misses = _apply("filter", chosen, _apply("not", _part(event.where, True, True))) if event.where else chosen
        return _apply("and", _apply(">", _apply("count", chosen), none), _apply("=", _apply("count", misses), none))
    chosen = _apply("filter", _field("xEvent"), _predicate(event))
    if event.aggregate == "count":
        return _value_test(event, _apply("count", chosen))
    number = _field(TENANT, event.of or "")
    known = _apply("filter", chosen, _apply("isNotNull", number))
    some = _apply(">", _apply("count", known), none)
    return _apply("and", some, _value_test(event, _apply(event.aggregate, known, number)))


def _predicate(event: EventCondition | Step, with_where: bool = True) -> Node:
    tests = [_apply("=", _field("eventType"), _literal(event.event))]
    if event.when:
        tests.append(_when(event.when, _field("timestamp")))
    if with_where and event.where is not None:
        tests.append(_part(event.where, exact=False, in_event=True))
    return _joined("and", tests)


def _step(step: Step) -> Node:
    if step.absent:
        raise CannotExpress("PQL has no documented form for an event that is absent from a sequence")
    if step.after or step.within:
        raise CannotExpress("PQL has no documented form for the time between two events of a sequence")
    return _predicate(step)


def _when(when: When, field: Node) -> Node:
    if when.ignore_year:
        return _season(when, field)
    match when.form:
        case "in_last" | "in_next":
            return _relative(field, "<=", when.in_last or when.in_next or "", when.form == "in_last")
        case "is":
            return _occurs(field, when.is_ or "")
        case "on":
            return _occurs(field, f"on {_day(when.on or '')}")
        case "rolling":
            first, last = when.rolling or ["", ""]
            return _apply("and", _side(field, first, "after"), _side(field, last, "before"))
        case "before" | "after":
            return _side(field, when.before or when.after or "", when.form)
        case "during":
            year, _, month = (when.during or "").partition("-")
            tests = [_apply("=", _apply("getYear", field), _literal(int(year)))]
            tests += [_apply("=", _apply("getMonth", field), _literal(int(month)))] if month else []
            return _joined("and", tests)
    if when.of in NEXT:
        near = [_occurs(field, f"<= {when.within} before {when.of}"), _occurs(field, when.of or "")]
        return _joined("or", [*near, _occurs(field, f"< {when.within} after {NEXT[when.of or '']}")])
    first, last = when.from_ or "", when.to or ""
    if when.within:
        middle, (number, unit) = dt.date.fromisoformat(when.of or ""), parse_duration(when.within)
        first, last = (shift(middle, sign * number, unit).isoformat() for sign in (-1, 1))
    return _apply("and", _apply("not", _side(field, first, "before")), _occurs(field, f"before {_day(last, 1)}"))


def _side(field: Node, point: str, which: str) -> Node:
    """Before or after a day or a relative time."""
    if relative := re.fullmatch(r"(.+) (ago|from now)", point):
        past = relative[2] == "ago"
        near = _relative(field, "<" if past == (which == "after") else ">", relative[1], past)
        return near if past == (which == "before") else _apply("or", near, _occurs(field, f"{which} now"))
    if which == "before":
        return _occurs(field, f"before {_day(point)}")
    return _apply("not", _occurs(field, f"before {_day(point, 1)}"))


def _season(when: When, field: Node) -> Node:
    month, day = _apply("getMonth", field), _apply("getDayOfMonth", field)
    if when.is_ in ("today", "this month"):
        tests = [_apply("=", month, _apply("currentMonth"))]
        return _joined("and", tests + ([_apply("=", day, _apply("currentDayOfMonth"))] if when.is_ == "today" else []))
    if when.during:
        return _apply("=", month, _literal(int(when.during[5:])))
    point = when.on or when.before or when.after or when.from_ or ""
    if when.within or not point[:1].isdigit() or (when.to and not when.to[:1].isdigit()):
        raise CannotExpress("PQL cannot ignore the year around yesterday, or around a day")
    spans = month_days(when, Clock(dt.datetime(2000, 1, 1)))
    return _joined(
        "or", [_apply("and", _in_year(field, ">=", low), _in_year(field, "<=", high)) for low, high in spans]
    )


def _in_year(field: Node, sign: str, than: int) -> Node:
    """From or until a day of any year, which is given as month * 100 + day."""
    month, day = _apply("getMonth", field), _apply("getDayOfMonth", field)
    same = _apply("and", _apply("=", month, _literal(than // 100)), _apply(sign, day, _literal(than % 100)))
    return _apply("or", _apply(sign.rstrip("="), month, _literal(than // 100)), same)


def _relative(field: Node, sign: str, duration: str, past: bool) -> Node:
    return _occurs(field, f"{sign} {duration} {'before' if past else 'after'} now")


def _occurs(field: Node, phrase: str) -> Node:
    """The documented signature word by word: comparison, number, unit, direction, time."""
    return _apply("occurs", field, *(_literal(int(w) if w.isdigit() else w) for w in phrase.split(" ")))


def _day(text: str, later: int = 0) -> str:
    """A day, or the one after it."""
    if text in NEXT:
        return NEXT[text] if later else text
    day = dt.date.fromisoformat(text) + dt.timedelta(days=later)
    return f"date({day.year},{day.month},{day.day})"


def _apply(name: str, *params: Node) -> Node:
    return {"nodeType": "fnApply", "fnName": name, "params": list(params)}


def _joined(name: str, nodes: list[Node]) -> Node:
    return nodes[0] if len(nodes) == 1 else _apply(name, *nodes)


def _field(*path: str) -> Node:
    node: Node = {"nodeType": "parameterReference", "position": 1}
    for name in path:
        node = {"nodeType": "fieldLookup", "fieldName": name, "object": node}
    return node


def _literal(value: Any) -> Node:
    if isinstance(value, list):
        return {"nodeType": "literal", "literalType": "List", "value": [_literal(one) for one in value]}
    return {"nodeType": "literal", "literalType": LITERALS[type(value)], "value": value}


def _text(node: Node) -> str:
    if node["nodeType"] == "literal":
        return _literal_text(node["value"])
    if node["nodeType"] == "fieldLookup":
        below = node["object"]
        return f"{_text(below)}.{node['fieldName']}" if below["nodeType"] == "fieldLookup" else node["fieldName"]
    name, texts = node["fnName"], [_text(param) for param in node["params"]]
    if name in ("and", "or"):
        return f"({f' {name} '.join(texts)})"
    if name == "not":
        return f"not ({texts[0]})"
    if name in ("+", "-", *INFIX.values()):
        return f"{texts[0]} {name} {texts[1]}"
    if name == "occurs":
        return f"{texts[0]} occurs {' '.join(str(word['value']) for word in node['params'][1:])}"
    if name == "chain":
        steps = ", ".join(f"C{index}: WHAT({step})" for index, step in enumerate(texts))
        return f"CHAIN(xEvent, timestamp, [{steps}])"
    if name == "inSegment" or not texts:
        return f"{name}({', '.join(texts)})"
    return f"{texts[0]}.{name}({', '.join(texts[1:])})"


def _literal_text(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'
    return json.dumps(value)
