"""One function renders a widget: published rows in, a picture out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from clv_helpers.charts import matrix, show
from clv_helpers.charts.bands import merged
from clv_helpers.charts.categories import Categories, categories
from clv_helpers.charts.cube import cube_of, judged, with_people
from clv_helpers.charts.declared import check_declared
from clv_helpers.charts.disclosure import too_small
from clv_helpers.charts.events import read_events
from clv_helpers.charts.marks import chart_of
from clv_helpers.charts.measures import with_rounded
from clv_helpers.charts.rows import read_rows, select
from clv_helpers.charts.show import Output
from clv_helpers.charts.spec import NotMade, Widget
from clv_helpers.charts.texts import NO_DATA, groups, heading, texts, title_of, with_words
from clv_helpers.charts.theme import CHART_MIME, CONFIG
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import to_sql
from clv_helpers.engines.guarded_query import MEMORY
from clv_helpers.engines.session import Session

if TYPE_CHECKING:
    import pandas as pd


# Not how many groups: the months of a category of one person are when it bought.
ALL_LEFT_OUT = "groups of fewer than {} people are left out, and those by which they could be worked out"


@dataclass(frozen=True)
class Picture:
    """A widget with its rows and its texts; drawn when its spec (or, of the mark table, its HTML) is asked for."""

    widget: Widget
    title: str
    subtitle: str
    rows: pd.DataFrame
    categories: Categories = field(default_factory=dict)  # of the axes, where some lost all their rows
    happened: pd.DataFrame | None = None  # see charts.events

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        return self.rows.empty

    @cached_property
    def spec(self) -> dict[str, Any]:
        """Vega-Lite, without a title; empty for a table."""
        return {} if self.widget.mark == "table" else self.with_rows(self.rows)

    @cached_property
    def html(self) -> str:
        """The mark table; empty for every other."""
        if self.widget.mark != "table":
            return ""
        columns = {f.column: f"{title_of(f)}{'|' + f.format if f.format else ''}" for f in self.widget.columns}
        return show.table(self.rows, columns, people=None).bundle["text/html"]

    def with_rows(self, rows: pd.DataFrame, choice: int | None = None) -> dict[str, Any]:
        """The spec with these rows: of several choices (column `choice`), the signal `choice` names the one shown."""
        spec = chart_of(self.widget, rows, self.categories, self.happened).to_dict(validate=False)
        del spec["$schema"]  # each reader draws with its own release; JupyterLab would warn of a newer one
        spec |= {"config": CONFIG, "description": self._description}
        if choice is not None:
            spec["params"] = [{"name": "choice", "value": choice}, *spec.get("params", [])]
            for layer in spec.get("layer", [spec]):  # each has its data
                layer.setdefault("transform", []).insert(0, {"filter": "datum.choice === choice"})
        return spec

    @property
    def _description(self) -> str:
        return f"{self.title}. {self.subtitle}".strip()

    @property
    def looks(self) -> dict[str, Any]:
        """What a page needs beside the spec: the width, the columns that a click picks by, and the columns' names."""
        picks = [] if self.widget.mark == "table" or self.is_empty else groups(self.widget, self.rows)
        headers = {field.column: heading(field) for field in [*self.widget.fields, *self.widget.tooltip]}
        return {"width": self.widget.width, "pick": picks, "headers": headers}

    def saying(self, more: str) -> Picture:
        """The same with more in the second line; what was drawn of it already is not drawn again."""
        said = replace(self, subtitle="; ".join(filter(None, [self.subtitle, more])))
        if spec := self.__dict__.get("spec"):
            said.__dict__["spec"] = spec | {"description": said._description}
        return said

    @property
    def card(self) -> dict[str, Any]:
        """All of it, as the page's script takes it."""
        return {"title": self.title, "subtitle": self.subtitle, "spec": self.spec, "html": self.html, **self.looks}


def draw(
    workbook: Workbook, widget: Widget, filters: dict[str, Any] | None = None, across: Iterable[str] = ()
) -> Output:
    """The widget, to display: a chart of the published tables, narrowed by `filters` (column → value, values, Days).

    `across`: the columns that its board filters by, see `picture`.
    Raises ChartError for a column that the table lacks, or for more than 2,000 rows.
    """
    with workbook.engine.read(memory=MEMORY) as session:
        drawn = picture(session, workbook, widget, filters, across)
    if drawn.html:
        head = f"<h4>{show.escaped(drawn.title)}</h4><p>{show.escaped(drawn.subtitle)}</p>"
        return Output({"text/html": head + drawn.html, "text/plain": drawn.title})
    title = {"text": drawn.title} | ({"subtitle": drawn.subtitle} if drawn.subtitle else {})
    return Output({CHART_MIME: {**drawn.spec, "title": title, "usermeta": drawn.looks}, "text/plain": drawn.title})


def picture(
    session: Session,
    workbook: Workbook,
    widget: Widget,
    filters: dict[str, Any] | None = None,
    across: Iterable[str] = (),
) -> Picture:
    """The widget with its rows, read on this connection: small groups merged or left out, numbers rounded.

    `across`: the columns that its board filters by. What is left out is judged over all their values, so that no two
    choices of a filter give a group away. Raises ChartError for a widget that may not be shown, see charts.declared.
    """
    check_declared(workbook, widget)
    widget, min_cell, chosen = with_words(widget, workbook), workbook.params.min_cell, filters or {}
    read = read_rows(session, workbook, widget, chosen)
    asked, (read, widget) = widget, with_people(session, workbook, widget, chosen, read)
    groups = merged(read, widget, min_cell)
    has_bands = groups is not None
    if groups is None:
        groups, cube = read, cube_of(session, workbook, asked, [*across, *chosen, *asked.filters])
    else:
        cube = judged(groups, widget, min_cell)
    small = too_small(groups, widget, min_cell)
    # what the widget itself narrows to is the same for every reader
    fixed = {name: value for name, value in widget.filters.items() if not isinstance(value, list)}
    hides = cube.hides(groups, {**fixed, **chosen})
    # bands are merged for one value, or for all: of several values other bands would tell what these hold together
    shown = groups[~small & ~hides & ~(has_bands and any(isinstance(value, list) for value in chosen.values()))]
    rows = with_rounded(shown, widget, workbook)
    if widget.mark == "venn" and not widget.filters and rows[widget.needed("x").column].nunique() == 1:
        raise NotMade(f"There is one set of at least {min_cell} people, and an overlap needs two.")
    left_out, few = len(groups) - len(rows), int(small.sum())
    title, subtitle = texts(widget, rows, is_whole=not left_out)
    said = ["small groups are shown together with their neighbours"] if len(groups) < len(read) and len(rows) else []
    if left_out:
        said.append(_left_out(few, left_out - few, min_cell) if len(rows) else ALL_LEFT_OUT.format(min_cell))
        title = "Too few people to show" if title == NO_DATA else title
    subtitle = show.upper_first("; ".join(filter(None, [subtitle, *said])))
    axes = categories(widget, groups, rows) if left_out and not has_bands else {}
    if widget.mark == "matrix":
        rows = matrix.with_hidden(widget, groups, rows)
        subtitle = "; ".join(filter(None, [subtitle, matrix.LEGEND]))
    drawn = Picture(asked, title, subtitle, rows, axes, read_events(session, workbook, widget, rows))
    return drawn if drawn.happened is None else drawn.saying("dotted: campaigns, when first sent")


def _left_out(small: int, beside: int, min_cell: int) -> str:
    """What a chart says of the groups that it does not show."""
    if not small:
        they = "1 group is" if beside == 1 else f"{beside} groups are"
        return f"{they} left out, by which one of fewer than {min_cell} people could be worked out"
    groups, it = ("1 group", "it") if small == 1 else (f"{small} groups", "they")
    sentence = f"{groups} of fewer than {min_cell} people {'is' if small == 1 else 'are'} left out"
    others = "1 other" if beside == 1 else f"{beside} others"
    return f"{sentence}, and {others} by which {it} could be worked out" if beside else sentence


def sql_of(session: Session, workbook: Workbook, widget: Widget, filters: dict[str, Any] | None = None) -> str:
    """The query behind a widget, as it is run."""
    return to_sql(select(session, workbook, with_words(widget, workbook), filters or {}), pretty=True)
