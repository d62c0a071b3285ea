"""What describes a chart: the same keys in a dashboard's YAML and in the package's own calls."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from clv_helpers.config.validation import Strict
from clv_helpers.errors import UserError

Scalar = str | int | float | bool
Mark = Literal[
    "bar", "line", "area", "point", "tick", "donut", "number", "table", "heatmap", "matrix", "dumbbell", "funnel",
    "venn",
]  # fmt: skip
AXES = ("x", "y", "color", "size")
ENDS = ("least", "most")  # what a title may say of all rows
# What each mark cannot do without. venn: x and y name two sets, size counts who is in both (in x alone where they
# are the same one). matrix: x and y hold the same places, sorted from the best: where somebody went, and came from.
# dumbbell: x and x2 are two shares of y.
MARKS: dict[str, tuple[str, ...]] = {
    "bar": ("x", "y"), "line": ("x", "y"), "area": ("x", "y"), "point": ("x", "y"), "tick": ("x", "y"),
    "donut": ("size", "color"), "number": ("y",), "table": ("columns",), "heatmap": ("x", "y", "color"),
    "matrix": ("x", "y", "color"), "dumbbell": ("x", "x2", "y"), "funnel": ("x", "y"), "venn": ("x", "y", "size"),
}  # fmt: skip


class ChartError(UserError):
    """A chart that cannot be drawn as described."""


class NotMade(ChartError):
    """A chart of a table that a stage makes, but has not made; the message says why, for its place on the board."""


class Channel(Strict):
    """What stands on an axis, in the colour, or in a column of a table."""

    column: str
    """the column; alone, it may stand in the place of the keys"""
    title: str | None = None
    """the heading, with the unit; none: the column's name"""
    format: str | None = None
    """how numbers or dates are written, in d3's codes, such as `,.0f`, `.0%` or `%b %Y`"""
    sort: str | list[Scalar] | None = None
    """the order of the values: a column to sort by, with a minus for descending, or a list of values"""
    aggregate: Literal["sum", "avg", "min", "max"] | None = None
    """how rows with the same other values become one"""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"column": value} if isinstance(value, str) else value


class Widget(Strict):
    """One chart of a dashboard."""

    title: str = Field(min_length=1)
    """what the chart says; `{column}` is replaced by the value of the row that `title_from` names"""
    title_from: dict[str, Scalar] | Literal["first", "last", "top"] = "first"
    """the row of the title's values: by its own values, such as `{decile: 1}`, or by its place (`top`: with the highest
    number)"""
    interval: list[str] = Field(default=[], min_length=2, max_length=2)
    """two columns of `tooltip`, the bounds of the title's value: drawn on bars; the title is said only where they leave
    out the other rows (with `title_from: top` the bounds of each other one, else what the others come to together)"""
    otherwise: str = ""
    """the title where they do not, with `{least}` and `{most}`, the ends of the values, beside the row's own"""
    subtitle: str = ""
    """a second line, with values as in the title"""
    table: str | None = Field(default=None, pattern=r"^\w+\.\w+$")
    """where the rows are, as `schema.table`; or `sql` in its place"""
    sql: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9_-]*$")
    """where the rows are: the name of a SQL file (one SELECT) beside the dashboards, without `.sql`"""
    filters: dict[str, Scalar | list[Scalar]] = {}
    """column: the value or values of the rows that are shown; the board's choice comes first"""
    exclude: dict[str, Scalar | list[Scalar]] = {}
    """column: the value or values of rows that are left out"""
    mark: Mark
    """how rows are drawn"""
    x: Channel | None = None
    """what stands along the horizontal axis; of a venn, one set"""
    x2: str | None = None
    """the column at which bars begin, in the place of 0; of a dumbbell, what `x` is compared with"""
    y: Channel | None = None
    """what stands along the vertical axis; of a number, the figure; of a venn, the other set"""
    color: Channel | None = None
    """what colours tell apart; of a heatmap, the value of the cells"""
    size: Channel | None = None
    """the size of a donut's parts or of points; of a venn, how many are in both sets"""
    columns: list[Channel] = []
    """the columns of a table"""
    tooltip: list[Channel] = []
    """what the pointer shows; none: all that the marks show"""
    highlight: dict[str, Scalar] = {}
    """the mark that stands out while others are grey, by its values, such as `{decile: 1}`"""
    beside: str | None = None
    """of a line, the value of `color` that is there to compare with: it is drawn grey and dashed"""
    events: Literal["campaigns"] | None = None
    """what is marked along an axis of time: `campaigns`, when each was first sent"""
    labels: bool = False
    """whether values are written on the marks; on bars that begin at `x2`, the first number of the tooltip"""
    sort: list[str] = []
    """columns to sort the rows by, with a minus for descending"""
    limit: int | None = Field(default=None, ge=1, le=500)
    """how many rows are shown, after sorting; none: all, up to 2,000"""
    legend: Literal["top", "right", "bottom", "none"] = "top"
    """where the legend is"""
    people: str | None = None
    """the column that counts the people of a row, for `min_cell`; none: `customers` or the like"""
    drill: str | None = None
    """the dashboard that a click leads to, narrowed to what was clicked"""
    width: Literal["third", "half", "two thirds", "full"] = "half"
    """the share of the board's width"""
    height: int | None = Field(default=None, ge=80, le=1200)
    """in pixels; none: as the mark needs"""

    @model_validator(mode="after")
    def _has_what_its_mark_needs(self) -> Widget:
        lacking = [name for name in MARKS[self.mark] if not getattr(self, name)]
        if lacking:
            raise ValueError(f"the widget {self.title!r} is a {self.mark}, which needs {' and '.join(lacking)}")
        if bool(self.interval) != bool(self.otherwise) or not {*self.interval} <= {f.column for f in self.tooltip}:
            raise ValueError(f"the widget {self.title!r} needs interval, of two columns of its tooltip, and otherwise")
        if (self.table is None) == (self.sql is None):
            raise ValueError(f"the widget {self.title!r} needs table (schema.table) or sql (a file), not both")
        return self

    def needed(self, name: str) -> Channel:
        """What stands on an axis that the mark cannot do without: it is there, see MARKS."""
        return getattr(self, name)

    @property
    def fields(self) -> list[Channel]:
        """What the marks show."""
        return [field for field in (*(getattr(self, name) for name in AXES), *self.columns) if field]

    @property
    def texts(self) -> tuple[str, ...]:
        """What is said of its rows, with names in braces."""
        return (self.title, self.otherwise, self.subtitle)

    @property
    def source(self) -> str:
        """The data's name, for people."""
        return self.table or f"{self.sql}.sql"
