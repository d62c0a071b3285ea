"""A dashboard being edited: plain values, a selected widget, and the moves of the composer, without any ipywidget."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any, get_args

from clv_helpers import editors
from clv_helpers.charts import AXES, MARKS, Widget
from clv_helpers.charts.spec import ENDS
from clv_helpers.conditions import Attribute
from clv_helpers.config import yaml_files
from clv_helpers.config.sql_params import NO_CATEGORY
from clv_helpers.config.validation import ParamsError, validate
from clv_helpers.config.workbook import Workbook
from clv_helpers.dashboards.proposals import (
    Propose,
    Raw,
    as_mapping,
    channel_of,
    chosen,
    counting,
    fields_of,
    form_of,
    ways_of,
)
from clv_helpers.dashboards.spec import Dashboard
from clv_helpers.editors import files

WIDTHS = get_args(Widget.model_fields["width"].annotation)
NEW: Raw = {"title": "", "widgets": []}
NAMES = ("unit", "currency")  # in braces in any text, beside columns
NOTHING: tuple[Any, ...] = (None, "", [], {})  # what is not written into the file


class Draft(editors.Draft[int]):
    """The dashboard as plain values, and the number of the selected widget. Each change can be undone.

    `propose` gives a widget's title and subtitle, which follow its columns until someone writes others. `usual`: by
    table the filters that hold as long as their column is not shown.
    """

    def __init__(
        self,
        raw: Raw | None = None,
        propose: Propose = lambda _: {},
        usual: Mapping[str, Raw] | None = None,
    ):
        super().__init__(raw or NEW, 0)
        self.propose, self.usual = propose, usual or {}

    @property
    def widgets(self) -> list[Raw]:
        return self.raw["widgets"]

    @property
    def widget(self) -> Raw:
        """The selected one; empty where there is none."""
        return self.widgets[self.selected] if self.widgets else {}

    # among the widgets

    def add(self, source: str, is_sql: bool = False) -> None:
        """A new widget on a table or a SQL file; it is selected, last, and not complete yet."""
        self.remember()
        widget: Raw = {"sql" if is_sql else "table": source, "mark": "bar"}
        if usual := self.usual.get(source):
            widget["filters"] = dict(usual)
        self.widgets.append({"title": "New widget"} | self.propose(widget) | widget)
        self.selected = len(self.widgets) - 1

    def duplicate(self) -> None:
        """A copy behind the selected widget, under a title of its own."""
        if self.widgets:
            self.remember()
            self.selected += 1
            twin = copy.deepcopy(self.widgets[self.selected - 1])
            self.widgets.insert(self.selected, twin | {"title": f"{twin['title']} (copy)"})

    def delete(self) -> None:
        """Take the selected widget away."""
        if self.widgets:
            self.remember()
            del self.widgets[self.selected]
            self.selected = max(0, min(self.selected, len(self.widgets) - 1))

    def move(self, step: int) -> None:
        """Forward (1) or back (-1) among the widgets."""
        self.move_to(self.selected + step)

    def move_to(self, place: int) -> None:
        """The selected widget to this place among the widgets."""
        if 0 <= place < len(self.widgets) and place != self.selected:
            self.remember()
            self.widgets.insert(place, self.widgets.pop(self.selected))
            self.selected = place

    # in the selected widget

    def resize(self, step: int) -> None:
        """One width wider (1) or narrower (-1)."""
        width = WIDTHS.index(self.widget.get("width", "half")) + step
        if 0 <= width < len(WIDTHS):
            self._update(width=WIDTHS[width])

    def put(self, shelf: str, attribute: Attribute) -> None:
        """A column on a shelf. A number is added up, or averaged where it is a share, a rate or per customer."""
        channel = channel_of(attribute, shelf)
        self._update(**{shelf: [*self.widget.get(shelf, []), channel] if shelf == "columns" else channel})

    def clear(self, shelf: str) -> None:
        """Nothing on a shelf; of a table, one column less (`columns.0` is the first)."""
        key, _, place = shelf.partition(".")
        kept = [field for at, field in enumerate(self.widget.get(key, [])) if str(at) != place] if place else None
        self._update(**{key: kept})

    def take(self, attribute: Attribute, known: list[Attribute]) -> None:
        """Choose a column, or no longer: the widget is drawn from those that are chosen then, in its mark if it can."""
        names, by_name = chosen(self.widget), {a.name: a for a in known}
        picked = [by_name[name] for name in names if name in by_name and name != attribute.name]
        if attribute.name not in names:
            picked = self._with(picked, attribute)
        ways = ways_of(self.widget, known, picked) if picked else []
        allowed = {a.name for a in picked} | {counting(known)}
        alike = [way for way in ways if form_of(way) == form_of(self.widget) and allowed >= {*chosen(way)}]
        self.draw((alike if names and alike else ways or [{}])[0])

    def _with(self, picked: list[Attribute], one: Attribute) -> list[Attribute]:
        """A number comes first, so that it is what is measured; of groups, all but a table shows two."""
        if one.is_measure:
            return [one, *picked]
        groups = [a for a in picked if not a.is_measure and not a.is_date]
        full = len(groups) > 1 and self.widget.get("mark") != "table"
        return [a for a in picked if not full or a is not groups[-1]] + [one]

    def draw(self, way: Raw) -> None:
        """Draw the widget in a suggested way; a column that is shown already keeps its heading."""
        known = {field["column"]: field for field in fields_of(self.widget).values()}

        def kept(field: Raw) -> Raw:
            return field | {key: text for key, text in known.get(field["column"], {}).items() if key == "title"}

        shelves: dict[str, Any] = {axis: kept(way[axis]) if axis in way else None for axis in AXES}
        shelves |= {"columns": [kept(field) for field in way.get("columns", [])]}
        self._update(mark=way.get("mark", "bar"), **shelves)

    def swap(self) -> None:
        """What is on x to y, and back."""
        self._update(x=self.widget.get("y"), y=self.widget.get("x"))

    def get(self, path: str) -> Any:
        """A property by its path: a key, or one of a channel or of filters, such as y.format."""
        key, _, inner = path.partition(".")
        return as_mapping(self.widget.get(key)).get(inner) if inner else self.widget.get(key)

    def set(self, path: str, value: Any) -> None:
        """Change a property; None, empty and what holds by default are not written."""
        if self.get(path) == value:
            return
        key, _, inner = path.partition(".")
        if inner:
            outer = {**as_mapping(self.widget.get(key)), inner: value}
            value = {name: kept for name, kept in outer.items() if name != inner or kept not in NOTHING}
        self._update(**{key: value})

    def _update(self, **changes: Any) -> None:
        if not self.widgets:
            return
        before, now = self.widget, dict(self.widget)
        for key, value in changes.items():
            if value in NOTHING or value == Widget.model_fields[key].default:
                now.pop(key, None)
            else:
                now[key] = value
        now = self._narrowed(before, _without_what_is_gone(before, now))
        proposed = {key for key, text in self.propose(before).items() if before.get(key, "") == text}
        untitled = set() if now.get("title") else {"title", *({"subtitle"} - {*now})}
        follow = {k: text for k, text in self.propose(now).items() if k in untitled | (proposed - {*changes})}
        if now | follow != before:
            self.remember()
            self.widgets[self.selected] = {key: value for key, value in (now | follow).items() if value not in NOTHING}

    def _narrowed(self, before: Raw, now: Raw) -> Raw:
        """The usual filter of a column goes when the column is shown, but for the total of all, and comes back."""
        filters, exclude = dict(now.get("filters", {})), dict(now.get("exclude", {}))
        was, is_shown = chosen(before), chosen(now)
        for name, value in self.usual.get(now.get("table", ""), {}).items():
            if name in is_shown and name not in was and filters.get(name) == value:
                del filters[name]
                if value == NO_CATEGORY:
                    exclude[name] = value
            elif name in was and name not in is_shown and name not in filters:
                filters[name] = value
                if exclude.get(name) == NO_CATEGORY:
                    del exclude[name]
        rest = {key: value for key, value in now.items() if key not in ("filters", "exclude")}
        return rest | {key: value for key, value in (("filters", filters), ("exclude", exclude)) if value}

    # choices at the top of the board

    def offer(self, column: str, label: str) -> None:
        """A filter of the whole board by a column of the selected widget's table."""
        offered = self.raw.get("filters", [])
        if self.widget.get("table") and all(each["column"] != column for each in offered):
            self.remember()
            self.raw["filters"] = [*offered, {"column": column, "table": self.widget["table"], "label": label}]

    def set_offer(self, place: int, key: str, value: Any) -> None:
        """Change a filter of the board: its label, or the value that the board begins with; empty takes that away."""
        offered = [dict(each) for each in self.raw.get("filters", [])]
        if 0 <= place < len(offered):
            self.remember()
            offered[place] = {k: v for k, v in (offered[place] | {key: value}).items() if v not in NOTHING}
            self.raw["filters"] = offered

    def withdraw(self, place: int) -> None:
        """The board has that filter no longer."""
        self.remember()
        self.raw["filters"] = [each for at, each in enumerate(self.raw.get("filters", [])) if at != place]
        if not self.raw["filters"]:
            del self.raw["filters"]


def _without_what_is_gone(before: Raw, now: Raw) -> Raw:
    """Once other columns are shown: no mark stands out by one that is not, and no text names it."""
    shown = {*chosen(now), *(as_mapping(field)["column"] for field in now.get("tooltip", []))}
    if not chosen(before) or {*chosen(before)} == {*chosen(now)}:
        return now
    gone = {"x2"} | ({"highlight"} if {*now.get("highlight", {})} - shown else set())
    gone |= {"sort"} if {name.lstrip("-") for name in now.get("sort", [])} - shown else set()
    said = " ".join(now.get(key, "") for key in ("title", "subtitle", "otherwise"))
    if {*re.findall(r"{(\w+)}", said)} - shown - {*NAMES, *ENDS}:
        gone |= {"title", "subtitle", "title_from", "interval", "otherwise"}
    return {key: value for key, value in now.items() if key not in gone}


def problem_of(widget: Raw) -> str:
    """What keeps a widget from being drawn, in words; empty where nothing does."""
    if not widget:
        return "The dashboard is empty: choose a table, and then columns of it."
    lacking = [shelf for shelf in MARKS.get(widget["mark"], ()) if not widget.get(shelf)]
    if lacking and not chosen(widget):
        return "Choose columns of the table: they are drawn at once."
    if lacking:
        return f"A {widget['mark']} needs {' and '.join(lacking)}: choose a column, and put it there."
    try:
        validate(Widget, widget, "the widget")
    except ParamsError as error:
        return "\n".join(map(str, error.problems))
    return ""


def save(workbook: Workbook, name: str, raw: dict[str, Any], read_as: str) -> str:
    """Write a dashboard; gives its new fingerprint. Comments of the file stay with the widgets they stand in.

    Raises ParamsError where it is no dashboard, SpecChanged where the file is not the one that was read.
    """
    validate(Dashboard, raw, f"dashboards/{name}.yml")
    return files.save(yaml_files.file_of(workbook, "dashboards", name), raw, read_as)
