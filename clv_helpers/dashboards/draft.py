"""A dashboard being edited: plain values, a selected widget, and the moves of the composer, without any ipywidget."""

from __future__ import annotations

import copy
from typing import Any, get_args

from clv_helpers import editors
from clv_helpers.charts import MARKS, Widget
from clv_helpers.conditions import Attribute
from clv_helpers.config import yaml_files
from clv_helpers.config.validation import ParamsError, validate
from clv_helpers.config.workbook import Workbook
from clv_helpers.dashboards.spec import Dashboard
from clv_helpers.editors import files

WIDTHS = get_args(Widget.model_fields["width"].annotation)
NEW = {"title": "New dashboard", "widgets": []}
NOTHING: tuple[Any, ...] = (None, "", [], {})  # what is not written into the file


class Draft(editors.Draft[int]):
    """The dashboard as plain values, and the number of the selected widget. Each change can be undone."""

    def __init__(self, raw: dict[str, Any] | None = None):
        super().__init__(raw or NEW, 0)

    @property
    def widgets(self) -> list[dict[str, Any]]:
        return self.raw["widgets"]

    @property
    def widget(self) -> dict[str, Any]:
        """The selected one; empty where there is none."""
        return self.widgets[self.selected] if self.widgets else {}

    # among the widgets

    def add(self, source: str) -> None:
        """A new widget on a table; it is selected, last, and not complete yet."""
        self.remember()
        self.widgets.append({"title": "New widget", "table": source, "mark": "bar"})
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
        target = self.selected + step
        if 0 <= target < len(self.widgets):
            self.remember()
            self.widgets.insert(target, self.widgets.pop(self.selected))
            self.selected = target

    # in the selected widget

    def resize(self, step: int) -> None:
        """One width wider (1) or narrower (-1)."""
        width = WIDTHS.index(self.widget.get("width", "half")) + step
        if 0 <= width < len(WIDTHS):
            self._update(width=WIDTHS[width])

    def put(self, shelf: str, attribute: Attribute) -> None:
        """A column on a shelf. A number is added up, or averaged where it is a share, a rate or per customer."""
        channel = {"column": attribute.name}
        if shelf != "color" and attribute.is_measure:
            averaged = any(part in attribute.name for part in ("share", "rate", "per_", "mean"))
            channel["aggregate"] = "avg" if averaged else "sum"
        self._update(**{shelf: [*self.widget.get(shelf, []), channel] if shelf == "columns" else channel})

    def swap(self) -> None:
        """What is on x to y, and back."""
        self._update(x=self.widget.get("y"), y=self.widget.get("x"))

    def use(self, source: str, is_sql: bool = False) -> None:
        """Take the widget's rows from a table, or from a SQL file."""
        self._update(table=None if is_sql else source, sql=source if is_sql else None)

    def get(self, path: str) -> Any:
        """A property by its path: a key, or one of a channel or of filters, such as y.format."""
        key, _, inner = path.partition(".")
        return _as_mapping(self.widget.get(key)).get(inner) if inner else self.widget.get(key)

    def set(self, path: str, value: Any) -> None:
        """Change a property; None, empty and what holds by default are not written."""
        if self.get(path) == value:
            return
        key, _, inner = path.partition(".")
        if inner:
            outer = {**_as_mapping(self.widget.get(key)), inner: value}
            value = {name: kept for name, kept in outer.items() if name != inner or kept not in NOTHING}
        self._update(**{key: value})

    def _update(self, **changes: Any) -> None:
        if not self.widgets:
            return
        self.remember()
        for key, value in changes.items():
            if value in NOTHING or value == Widget.model_fields[key].default:
                self.widget.pop(key, None)
            else:
                self.widget[key] = value

    def parse_widget(self) -> Widget:
        """The selected widget alone. Raises ParamsError."""
        return validate(Widget, self.widget, "the widget")


def _as_mapping(value: Any) -> dict[str, Any]:
    """A channel or filters with their keys; of a channel in short, which is its column."""
    return value if isinstance(value, dict) else {"column": value} if value else {}


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


def save(workbook: Workbook, name: str, raw: dict[str, Any], read_as: str) -> str:
    """Write a dashboard; gives its new fingerprint. Comments of the file stay with the widgets they stand in.

    Raises ParamsError where it is no dashboard, SpecChanged where the file is not the one that was read.
    """
    validate(Dashboard, raw, f"dashboards/{name}.yml")
    return files.save(yaml_files.file_of(workbook, "dashboards", name), raw, read_as)
