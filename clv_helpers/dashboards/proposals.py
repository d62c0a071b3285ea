"""What the composer proposes from the chosen columns: up to four charts, each with a title, a unit and a format."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from clv_helpers.charts import AXES, MARKS
from clv_helpers.charts.rows import POPULATION
from clv_helpers.charts.texts import RANKED, header
from clv_helpers.conditions import Attribute
from clv_helpers.config.sql_params import NO_CATEGORY
from clv_helpers.config.workbook import Workbook

Raw = dict[str, Any]  # a widget, or a part of one, as the file has it
Propose = Callable[[Raw], Raw]  # title and subtitle of a widget
MOST = 4
MORE_SHELVES = {
    "bar": ("color",),
    "line": ("color",),
    "area": ("color",),
    "tick": ("color",),
    "point": ("color", "size"),
}
NOT_ADDED_UP = ("share", "rate", "per_", "mean", "probability")
MONEY = re.compile(r"spend|revenue|margin|cost|profit|amount|lifetime_value|historic_value|at_risk|payback")
FORMS = {"heatmap": "heat map", "number": "key figure", "point": "points", "area": "areas"}
AGGREGATES = {"sum": "", "avg": "mean ", "min": "least ", "max": "most "}


def shelves(mark: str) -> tuple[str, ...]:
    """Where columns may stand in a mark: what it needs, and what it can have."""
    return (*MARKS[mark], *MORE_SHELVES.get(mark, ()))


def channel_of(attribute: Attribute, shelf: str = "y") -> Raw:
    """A column on a shelf: a number is added up, or averaged where it is a share, a rate or per customer."""
    name = attribute.name
    if not attribute.is_measure or (shelf == "color" and attribute.kind == "text"):
        return {"column": name}
    if any(part in name for part in NOT_ADDED_UP):
        return {"column": name, "aggregate": "avg", "format": ".0%" if _is_share(name) else ",.2f"}
    return {"column": name, "aggregate": "sum", "format": ",.0f" if shelf == "columns" else ".3~s"}


def fields_of(raw: Raw) -> dict[str, Raw]:
    """What stands on which shelf of a widget, in the long form; the columns of a table by number."""
    given = {shelf: raw[shelf] for shelf in AXES if raw.get(shelf)}
    given |= {f"columns.{place}": field for place, field in enumerate(raw.get("columns", []))}
    return {shelf: as_mapping(field) for shelf, field in given.items()}


def chosen(raw: Raw) -> list[str]:
    """The columns that a widget shows, each once."""
    return list(dict.fromkeys(field["column"] for field in fields_of(raw).values()))


def as_mapping(value: Any) -> Raw:
    """A channel or filters with their keys; of a channel in short, which is its column."""
    return value if isinstance(value, dict) else {"column": value} if value else {}


def form_of(raw: Raw) -> str:
    """How a widget is drawn, in words: its mark; bars are suggested vertical and horizontal."""
    mark = str(raw.get("mark"))
    if mark == "bar":
        return "horizontal bars" if as_mapping(raw.get("x")).get("aggregate") else "vertical bars"
    return FORMS.get(mark, mark)


def suggestions(columns: Iterable[Attribute], known: list[Attribute], counting: str = "") -> list[Raw]:
    """Up to four ways to draw these columns; where there is no number among them, what counts people is taken.

    `known`: the columns of the source. Without a choice, its first group.

    Example:
        >>> [region, spend] = Attribute("region", "text", ""), Attribute("spend", "number", "")
        >>> [each["mark"] for each in suggestions([region, spend], [region, spend])]
        ['bar', 'bar', 'donut', 'table']
    """
    picked = list(columns)
    measures = [a for a in picked if a.is_measure] or [a for a in known if a.name == counting][:1]
    measures = measures or [a for a in known if a.is_measure][:1]
    days = [a for a in picked if a.is_date]
    groups = [a for a in picked if not a.is_measure and not a.is_date]
    if not measures:
        return [{"mark": "table", "columns": [channel_of(a, "columns") for a in picked]}] if picked else []
    shown = groups or ([] if days else _first_group(known))
    ways = _by_time(days, groups, measures[0]) if days else _by_group(shown, measures, known)
    if picked and not days and not groups:
        ways = [{"mark": "number", "y": channel_of(measures[0])}, *ways]
    table = {"mark": "table", "columns": [channel_of(a, "columns") for a in (*days, *shown, *measures)]}
    return [*ways[: MOST - 1], table]


def ways_of(raw: Raw, known: list[Attribute], picked: list[Attribute] | None = None) -> list[Raw]:
    """The suggestions for a widget: of the columns that it shows, or of `picked`; none where it has no source.

    A column that it is limited to a value of makes no groups by itself.
    """
    shown = [a for name in chosen(raw) for a in known if a.name == name] if picked is None else picked
    free = [a for a in known if a.name not in raw.get("filters", {}) or a in shown]
    return suggestions(shown, free, counting(known)) if raw else []


def counting(columns: list[Attribute]) -> str:
    """The column that counts people; empty where there is none."""
    names = {attribute.name for attribute in columns}
    return next((name for name in POPULATION if name in names), "")


def _first_group(known: list[Attribute]) -> list[Attribute]:
    groups = [a for a in known if not a.is_measure and not a.is_date and not a.name.endswith(("_order", "_months"))]
    return groups[:1]


def _by_time(days: list[Attribute], groups: list[Attribute], measure: Attribute) -> list[Raw]:
    axes = {"x": channel_of(days[0]), "y": channel_of(measure)}
    color = {"color": channel_of(groups[0])} if groups else {}
    ways: list[Raw] = [{"mark": "line", **axes, **color}, {"mark": "bar", **axes, **color}]
    if groups:
        ways.append({"mark": "heatmap", "x": axes["x"], "y": channel_of(groups[0]), "color": channel_of(measure)})
    return [*ways, {"mark": "number", "y": channel_of(measure)}]


def _by_group(groups: list[Attribute], measures: list[Attribute], known: list[Attribute]) -> list[Raw]:
    measure = channel_of(measures[0])
    if not groups:
        return [{"mark": "number", "y": measure}]
    first, color = channel_of(groups[0]), {"color": channel_of(groups[1])} if groups[1:] else {}
    if order := next((a.name for a in known if a.name == f"{groups[0].name}_order"), ""):
        first = first | {"sort": order}
    elif groups[0].kind in ("text", "boolean"):
        first = first | {"sort": f"-{measure['column']}"}
    ways: list[Raw] = [{"mark": "bar", "x": first, "y": measure, **color}]
    if measures[1:]:
        ways.append({"mark": "point", "x": measure, "y": channel_of(measures[1]), "color": channel_of(groups[0])})
    if color:
        ways.append({"mark": "heatmap", "x": channel_of(groups[0]), "y": color["color"], "color": measure})
    ways.append({"mark": "bar", "x": measure, "y": first, **color})
    return ways if color else [*ways, {"mark": "donut", "size": measure, "color": channel_of(groups[0])}]


class Proposer:
    """Titles and units, in the words of the business."""

    def __init__(self, workbook: Workbook):
        self.words, params = workbook.words, workbook.params
        self.unit, self.currency = params.value.unit, params.spending.unit

    def __call__(self, raw: Raw) -> Raw:
        """The title and the subtitle of a widget: what is shown by what; the unit, and which rows."""
        fields = list(fields_of(raw).values())
        measures = [field for field in fields if field.get("aggregate")]
        names = list(dict.fromkeys(f["column"] for f in fields if f not in measures))
        if not measures:
            return {"title": self._of_source(raw), "subtitle": self._rows(raw)}
        schema = str(raw.get("table", "")).partition(".")[0]
        ranked = schema in RANKED
        what = " and ".join(f"{AGGREGATES[f['aggregate']]}{self._name(f['column'], ranked)}" for f in measures[:2])
        units = list(dict.fromkeys(filter(None, (self._unit(f, schema) for f in measures))))
        said = filter(None, [" and ".join(units), self._rows(raw)])
        return {"title": _upper(f"{what}{self._by(names)}"), "subtitle": _upper("; ".join(said))}

    def _by(self, names: list[str]) -> str:
        return f" by {' and '.join(map(self._name, names[:3]))}" if names else ""

    def _name(self, column: str, ranked: bool = False) -> str:
        name = self.words.value if ranked and column == "value" else header(column, self.words)
        return name if name.isupper() else name[:1].lower() + name[1:]

    def _of_source(self, raw: Raw) -> str:
        return header(re.sub(r"^\w+\.(fact_|dim_)?", "", raw.get("table") or raw.get("sql") or "New widget"))

    def _unit(self, field: Raw, schema: str) -> str:
        """What the numbers are; of a mean, over what. Empty where it is not known."""
        name = field["column"]
        if _is_share(name):
            unit = "share"
        elif MONEY.search(name) or (schema == "lifetime" and "value" in name):
            unit = self.currency
        elif name.startswith("value"):
            unit = self.unit if schema in RANKED else ""
        else:
            unit = "number" if field["aggregate"] == "sum" else ""
        mean = "mean of the rows, each counted once" if field["aggregate"] == "avg" else ""
        return ", ".join(filter(None, [unit, mean]))

    def _rows(self, raw: Raw) -> str:
        """Which rows: the filters, but for those on everybody."""
        kept = {name: value for name, value in raw.get("filters", {}).items() if value != NO_CATEGORY}
        parts = [f"{header(name, self.words).lower()}: {_listed(value)}" for name, value in kept.items()]
        left = {name: value for name, value in raw.get("exclude", {}).items() if value != NO_CATEGORY}
        return "; ".join([*parts, *(f"without {_listed(value)}" for value in left.values())])


def _is_share(name: str) -> bool:
    return "share" in name or "rate" in name or "probability" in name


def _listed(value: Any) -> str:
    return " or ".join(map(str, value)) if isinstance(value, list) else str(value)


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
