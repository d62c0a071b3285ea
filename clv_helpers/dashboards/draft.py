"""A dashboard being edited: plain values, a selected widget, and the moves of the composer, without any ipywidget."""

from __future__ import annotations

import copy
from typing import Any

from clv_helpers import editors
from clv_helpers.charts import MARKS, Widget
from clv_helpers.config.validation import ParamsError, validate
from clv_helpers.dashboards.spec import Dashboard
from clv_helpers.editors import Attribute

SHELVES = ("x", "y", "color", "size")
WIDTHS = ("third", "half", "two thirds", "full")
EMPTY = {"title": "New dashboard", "widgets": []}


class Draft(editors.Draft[int]):
    """The dashboard as plain values, and the number of the selected widget. Each change can be undone."""

    def __init__(self, raw: dict[str, Any] | None = None):
        super().__init__(raw or EMPTY, 0)

    @property
    def widgets(self) -> list[dict[str, Any]]:
        return self.raw["widgets"]

    @property
    def widget(self) -> dict[str, Any]:
        """The selected one; empty where there is none."""
        return self.widgets[self.selected] if self.widgets else {}

    def add(self, source: str) -> None:
        """A new widget on a table; it is selected, last, and not complete yet."""
        self.remember()
        self.widgets.append({"title": "New widget", "table": source, "mark": "bar"})
        self.selected = len(self.widgets) - 1

    def duplicate(self) -> None:
        """A copy behind the selected widget, under a title of its own."""
        if self.widgets:
            self.remember()
            twin = copy.deepcopy(self.widget)
            twin["title"] += " (copy)"
            self.widgets.insert(self.selected + 1, twin)
            self.selected += 1

    def delete(self) -> None:
        """Take the selected widget away."""
        if self.widgets:
            self.remember()
            del self.widgets[self.selected]
            self.selected = max(0, min(self.selected, len(self.widgets) - 1))

    def move(self, step: int) -> None:
        """Forward (1) or back (-1) among the widgets."""
        target = self.selected + step
        if self.widgets and 0 <= target < len(self.widgets):
            self.remember()
            self.widgets[self.selected], self.widgets[target] = self.widgets[target], self.widgets[self.selected]
            self.selected = target

    def resize(self, step: int) -> None:
        """One width wider (1) or narrower (-1)."""
        now = WIDTHS.index(self.widget.get("width", "half"))
        if self.widgets and 0 <= now + step < len(WIDTHS):
            self.set("width", WIDTHS[now + step])

    def put(self, shelf: str, attribute: Attribute) -> None:
        """A column on a shelf. A number is added up, or averaged where it is a share, a rate or per customer."""
        self.remember()
        channel: dict[str, Any] = {"column": attribute.name}
        if shelf != "color" and attribute.is_measure:
            averaged = any(part in attribute.name for part in ("share", "rate", "per_", "mean"))
            channel["aggregate"] = "avg" if averaged else "sum"
        if shelf == "columns":
            self.widget.setdefault("columns", []).append(channel)
        else:
            self.widget[shelf] = channel

    def clear(self, shelf: str) -> None:
        """Nothing on a shelf, or no filter on a column (filters.<column>)."""
        if self.get(shelf) is not None:
            self.set(shelf, None)

    def swap(self) -> None:
        """What is on x to y, and back."""
        self.remember()
        x, y = self.widget.pop("x", None), self.widget.pop("y", None)
        self.widget.update({key: value for key, value in (("x", y), ("y", x)) if value})

    def use(self, source: str, is_sql: bool = False) -> None:
        """Take the widget's rows from a table, or from a SQL file."""
        self.remember()
        self.widget.pop("table", None)
        self.widget.pop("sql", None)
        self.widget["sql" if is_sql else "table"] = source

    def get(self, path: str) -> Any:
        """A property of the selected widget by its dotted path, such as y.format."""
        place: Any = self.widget
        for part in path.split("."):
            place = place.get(part) if isinstance(place, dict) else {"column": place}.get(part) if place else None
        return place

    def set(self, path: str, value: Any) -> None:
        """Change a property of the selected widget; None, empty and what holds by default are not written."""
        if not self.widgets or self.get(path) == value:
            return
        self.remember()
        *parents, last = path.split(".")
        place = self.widget
        for part in parents:
            inner = place.get(part)
            place[part] = inner if isinstance(inner, dict) else {"column": inner} if inner else {}
            place = place[part]
        field = Widget.model_fields.get(path)
        if value in (None, "", [], {}) or (field is not None and value == field.default):
            place.pop(last, None)
        else:
            place[last] = value
        for part in parents:  # an empty mapping says nothing
            if self.widget.get(part) == {}:
                del self.widget[part]

    def parse(self) -> Dashboard:
        """Raises ParamsError, which names the widget and what is missing or wrong."""
        return validate(Dashboard, self.raw, "the draft")

    def parse_widget(self) -> Widget:
        """The selected widget alone. Raises ParamsError."""
        return validate(Widget, self.widget, "the widget")


def problem_of(draft: Draft) -> str:
    """What keeps the selected widget from being drawn, in words; empty where nothing does."""
    if not draft.widgets:
        return "The dashboard is empty: choose a table, and add a widget."
    lacking = [shelf for shelf in MARKS[draft.widget["mark"]] if not draft.widget.get(shelf)]
    if lacking:
        return f"A {draft.widget['mark']} needs {' and '.join(lacking)}: choose a column, and put it there."
    try:
        draft.parse_widget()
    except ParamsError as error:
        return "\n".join(map(str, error.problems))
    return ""
