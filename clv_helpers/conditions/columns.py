"""A column of which conditions ask: its name, its kind in one word, what it means."""

from __future__ import annotations

from dataclasses import dataclass

# How an engine's types begin; INTEGER and whatever ends with INT is an integer.
KINDS = {
    "VARCHAR": "text", "STRING": "text", "DECIMAL": "number", "DOUBLE": "number", "FLOAT": "number",
    "BOOLEAN": "boolean", "DATE": "date", "TIMESTAMP": "timestamp",
}  # fmt: skip


@dataclass(frozen=True)
class Attribute:
    """A column: its name, what it means, and its kind: text, integer, number, boolean, date, timestamp or other."""

    name: str
    kind: str
    about: str

    @property
    def is_date(self) -> bool:
        """Whether it can be asked for a time."""
        return self.kind in ("date", "timestamp")

    @property
    def is_number(self) -> bool:
        return self.kind in ("integer", "number")

    @property
    def is_measure(self) -> bool:
        """Whether it measures rather than distinguishes groups."""
        groups = self.name.startswith("decile") or self.name.endswith(("_order", "_months", "percent_of_customers"))
        return self.is_number and not groups


def kind_of(engine_type: str) -> str:
    """An engine's type in one word: `DECIMAL(18, 2)` is a number."""
    name = engine_type.upper()
    for beginning, kind in KINDS.items():
        if name.startswith(beginning):
            return kind
    return "integer" if name.endswith("INT") or name == "INTEGER" else "other"
