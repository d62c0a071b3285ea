"""The params of a new workbook as commented YAML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from clv_helpers.config.validation import parse_value
from clv_helpers.run.new.draft import Draft

COMMENTS = {
    "sources.purchases.path": "relative to this file; a folder or a pattern such as orders/*.csv works as well",
    "sources.purchases.csv": "how the file is written, where it is not to be found out by looking",
    "sources.purchases.preset": "how this system's export is read: docs/recipes.md",
    "sources.purchases.columns": "our name: the header in the file",
    "sources.purchases.columns.order_id": "rows of one order are one purchase",
    "sources.purchases.columns.event_id": "what came in before is not counted twice",
    "sources.purchases.columns.amount": "what is summed",
    "sources.purchases.guests": "rows without a customer",
    "sources.purchases.exclude": "ids that are no customer",
    "sources.purchases.leave_out": "rows that are left out, and counted with their amount",
    "sources.purchases.statuses": "what the status makes of a row; others count",
    "sources.purchases.amount_without": "taken off the amount",
    "sources.purchases.namespace": "the address is the customer's id",
    "value.unit": "the currency",
    "category": "deciles within each, beside those over everyone",
    "words": "what you call them, wherever people read of them",
    "lifetime": "what each customer is expected to bring",
    "lifetime.margin": "the share of the amount that remains, such as 0.3",
    "rates": "date, currency, rate: what one unit of it is worth in value.unit",
}
FLOWING = ("csv", "statuses", "words", "value")  # on one line
BLANK_BEFORE = ("sources", "value", "category", "words", "lifetime")
PLAIN = re.compile(r"[^\W\d][\w .@*()/°-]*(?<! )")
LAST = "# time_zone: Europe/London  # whose days and months are meant; none: UTC, and times as they are written"


def params_text(made: Draft, origin: str = "") -> str:
    """The draft as YAML, as a person would write it, with what the keys mean beside them."""
    head = f"# Made by `clv new`{origin}. Read it, and mend what is wrong: docs/own_data.md says more.\n"
    return head + "\n".join(_lines(made.raw, "", 0)) + f"\n\n{LAST}\n"


def _lines(raw: dict[str, Any], place: str, depth: int) -> Iterator[str]:
    for key, value in raw.items():
        here = f"{place}.{key}".lstrip(".")
        if not depth and key in BLANK_BEFORE:
            yield ""
        is_address = "://" in str(value)
        comment = f"  # {COMMENTS[here]}" if here in COMMENTS and not is_address else ""
        start = f"{'  ' * depth}{key}:"
        if isinstance(value, dict) and key not in FLOWING and not set(value) <= {"sql", "from", "type"}:
            yield start + comment
            yield from _lines(value, here, depth + 1)
        else:
            yield f"{start} {_flow(value, here)}{comment}"


def _flow(value: Any, place: str) -> str:
    """A value on one line."""
    match value:
        case dict():
            return "{" + ", ".join(f"{key}: {_flow(each, place)}" for key, each in value.items()) + "}"
        case list():
            return "[" + ", ".join(_flow(each, place) for each in value) + "]"
        case bool() | int() | float():
            return json.dumps(value)
    text = str(value)
    return text if PLAIN.fullmatch(text) and _stays(text) else json.dumps(text, ensure_ascii=False)


def _stays(text: str) -> bool:
    """Whether a text without quotes is read as itself: `no` and 2024-01-01 are not."""
    return parse_value(text) == text
