"""What describes a chart: the same keys in a dashboard's YAML and in the package's own calls."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from clv_helpers.config.validation import Strict

Scalar = str | int | float | bool
Mark = Literal[
    "bar", "line", "area", "point", "tick", "donut", "number", "table", "heatmap", "funnel", "venn"
]  # fmt: skip
# What each mark cannot do without. venn: x and y name two sets, size counts who is in both (in x alone where they
# are the same one).
MARKS: dict[str, tuple[str, ...]] = {
    "bar": ("x", "y"), "line": ("x", "y"), "area": ("x", "y"), "point": ("x", "y"), "tick": ("x", "y"),
    "donut": ("size", "color"), "number": ("y",), "table": ("columns",), "heatmap": ("x", "y", "color"),
    "funnel": ("x", "y"), "venn": ("x", "y", "size"),
}  # fmt: skip


class Channel(Strict):
    """What stands on an axis or in the colour: a column, its title with the unit, its number format."""

    column: str
    title: str | None = None
    format: str | None = None
    sort: str | list[Scalar] | None = None
    aggregate: Literal["sum", "avg", "min", "max"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"column": value} if isinstance(value, str) else value


class Widget(Strict):
    """One chart of a dashboard. `title` may name columns in braces: `title_from` names the row."""

    title: str = Field(min_length=1)
    title_from: dict[str, Scalar] | Literal["first", "last", "top"] = "first"
    subtitle: str = ""
    table: str | None = Field(default=None, pattern=r"^\w+\.\w+$")
    sql: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9_-]*$")  # a file beside the dashboards: <sql>.sql
    filters: dict[str, Scalar | list[Scalar]] = {}
    exclude: dict[str, Scalar | list[Scalar]] = {}
    mark: Mark
    x: Channel | None = None
    x2: str | None = None  # where a bar begins, in the place of 0
    y: Channel | None = None
    color: Channel | None = None
    size: Channel | None = None
    columns: list[Channel] = []  # of a table
    tooltip: list[Channel] = []  # none: what is on the axes and in the colour
    highlight: dict[str, Scalar] = {}
    labels: bool = False  # the values written on the marks
    sort: list[str] = []  # columns to sort the rows by, with a minus for descending
    limit: int | None = Field(default=None, ge=1, le=500)
    legend: Literal["top", "right", "bottom", "none"] = "top"
    people: str | None = None  # the column that counts the people of a row; none: see rows.POPULATION
    drill: str | None = None  # the dashboard that a click leads to, narrowed to what was clicked
    width: Literal["third", "half", "two thirds", "full"] = "half"
    height: int | None = Field(default=None, ge=80, le=1200)

    @model_validator(mode="after")
    def _has_what_its_mark_needs(self) -> Widget:
        lacking = [name for name in MARKS[self.mark] if not getattr(self, name)]
        if lacking:
            raise ValueError(f"the widget {self.title!r} is a {self.mark}, which needs {' and '.join(lacking)}")
        if (self.table is None) == (self.sql is None):
            raise ValueError(f"the widget {self.title!r} needs table (schema.table) or sql (a file), not both")
        return self

    def needed(self, name: Literal["x", "y", "color", "size"]) -> Channel:
        """What stands on an axis that the mark cannot do without."""
        field: Channel | None = getattr(self, name)
        if field is None:
            raise ValueError(f"the widget {self.title!r} is a {self.mark} and has no {name}")
        return field

    @property
    def fields(self) -> list[Channel]:
        """What the marks show."""
        return [field for field in (self.x, self.y, self.color, self.size, *self.columns) if field]

    @property
    def source(self) -> str:
        """The data's name, for people."""
        return self.table or f"{self.sql}.sql"
