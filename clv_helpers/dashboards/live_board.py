"""The live board: filters on top, charts below, redrawn when a filter changes; a click leads into a second board."""

from __future__ import annotations

import datetime as dt
import html
from dataclasses import dataclass, field
from typing import Any

from IPython.display import display

from clv_helpers.charts.rows import Days
from clv_helpers.charts.show import note
from clv_helpers.config.workbook import Workbook
from clv_helpers.dashboards import filters, spec, static_board
from clv_helpers.dashboards.drawing import Failed, pictures
from clv_helpers.dashboards.filters import Choice
from clv_helpers.dashboards.spec import BoardFilter, load
from clv_helpers.errors import UserError

BETWEEN = "from … to"
# Those that the notebooks place by name; decile is where a click on a decile leads.
PLACED = ("value", "migration", "forecast", "decile", "audiences", "campaign_results")


def board(workbook: Workbook, *names: str) -> Any:
    """Show dashboards, the first one open; those that the workbook does not have are left out.

    Without any dashboard a sentence says how to get one. In a batch run all of them stand one after the other, with
    filters that need no kernel.
    """
    there = spec.names(workbook)
    known = [name for name in names if name in there]
    if not there:
        folder = f"{workbook.specs.name}/dashboards"
        return note(f"There is no dashboard yet: copy those of params/cdnow to {folder}, beside the params.")
    if not known:
        return None
    if not workbook.interactive:
        for name in known:
            display(static_board.board(workbook, name))
        return None
    return LiveBoard(workbook, known).face


def others(workbook: Workbook) -> list[str]:
    """The dashboards that no notebook places by name, so that each of them comes into the report."""
    return [name for name in spec.names(workbook) if name not in PLACED]


@dataclass
class Place:
    """Where one is: a dashboard, what is chosen in its filters, and what was carried here by a click."""

    name: str
    chosen: dict[str, Choice] = field(default_factory=dict)
    carried: dict[str, Any] = field(default_factory=dict)


class LiveBoard:
    """Holds the place and the way there; `face` is the ipywidgets box to display."""

    def __init__(self, workbook: Workbook, names: list[str]):
        import ipywidgets as ipw

        from clv_helpers.dashboards.grid import View

        self.ipw, self.workbook = ipw, workbook
        self.view = View(cards=[])
        self.view.on_msg(lambda _, message, __: self.drill(message["drill"], message["column"], message["value"]))
        self.title, self.state = ipw.HTML(), ipw.HTML()
        self.boards = ipw.Dropdown(description="Board", layout={"width": "auto"})
        self.back_button = self._button("← Back", self.back)
        self.controls = ipw.HBox(layout={"flex_flow": "row wrap", "align_items": "center", "margin": "0 0 14px 0"})
        self.way: list[Place] = []
        titles = [(load(workbook, name).title, name) for name in names]
        self.boards.options, self.boards.value = titles, names[0]
        self.boards.observe(lambda change: self._tried(lambda: self.open(Place(change["new"]))), names="value")
        head = ipw.HBox(
            [self.back_button, *([self.boards] if len(names) > 1 else []), self._button("Refresh", self.redraw),
             self._button("Reset filters", self.reset), self.state],
            layout={"flex_flow": "row wrap", "align_items": "center"},
        )  # fmt: skip
        self.face = ipw.VBox([self.title, head, self.controls, self.view], layout={"overflow": "visible"})
        self.face.add_class("clv-live")
        self.open(Place(names[0]))

    # where one is

    @property
    def place(self) -> Place:
        return self.way[-1]

    def open(self, place: Place) -> None:
        """Show a dashboard, and forget the way."""
        self.way = []
        self._enter(place)

    def drill(self, name: str, column: str, value: Any) -> None:
        """Into a second board, narrowed to what was picked, with the filters chosen so far."""
        chosen = {name: c for name, c in self.place.chosen.items() if c.value is not None}
        self._tried(lambda: self._enter(Place(name, chosen, {**self.place.carried, column: value})))

    def back(self) -> None:
        """To the board that led here, as it was left."""
        if len(self.way) > 1:
            self.way.pop()
            self._enter(self.way.pop())

    def reset(self) -> None:
        """Every filter as the dashboard begins with it."""
        self._enter(Place(self.way.pop().name))

    def _enter(self, place: Place) -> None:
        self.dashboard = load(self.workbook, place.name)
        self.way.append(place)
        with self.workbook.engine.read() as session:
            self.offered = {f.column: filters.choices(session, f) for f in self.dashboard.filters}
            self.as_of = filters.as_of(session)
        for spec_of_filter in self.dashboard.filters:
            self._begin(spec_of_filter)
        self._draw_controls()
        self.redraw()

    def _begin(self, each: BoardFilter) -> None:
        """A filter begins with what was carried here, else what was chosen before, else its default."""
        offered, place = self.offered[each.column], self.place
        wanted = place.carried.pop(each.column, None)
        if wanted is None and each.column in place.chosen:
            wanted = place.chosen[each.column].value
            if isinstance(wanted, Days):
                return
        found = next((c for c in offered if c.value == wanted and wanted is not None), None)
        place.chosen[each.column] = found or filters.default_of(each, offered)

    # what is drawn

    def redraw(self) -> None:
        """Draw every widget with the filters as chosen, from the published tables."""
        from clv_helpers.dashboards.grid import card

        place = self.place
        own = {f.column for f in self.dashboard.filters}
        narrowed = filters.narrowed({n: c for n, c in place.chosen.items() if n in own}) | place.carried
        titles = {
            name: load(self.workbook, name).title for name in {w.drill for w in self.dashboard.widgets if w.drill}
        }
        drawn = pictures(self.workbook, self.dashboard, narrowed, with_sql=True)
        self.view.cards = [
            _failed(each, f"{place.name}/{i}")
            if isinstance(each, Failed)
            else card(each.picture, f"{place.name}/{i}", each.sql, titles.get(each.picture.widget.drill or "", ""))
            for i, each in enumerate(drawn)
        ]
        self._draw_head()

    def _draw_head(self) -> None:
        path = " › ".join(html.escape(load(self.workbook, place.name).title) for place in self.way)
        self.title.value = f"<h2 style='margin:0'>{path}</h2>" + (
            f"<p style='margin:2px 0'>{html.escape(self.dashboard.description)}</p>"
            if self.dashboard.description
            else ""
        )
        self.back_button.layout.display = "" if len(self.way) > 1 else "none"
        published = dt.datetime.fromtimestamp(self.workbook.engine.published.stat().st_mtime, dt.UTC)
        self.state.value = (
            f"<span class='clv-state'>as of {self.as_of:%-d %B %Y}, tables published "
            f"{published:%-d %B %Y, %H:%M} UTC ({_age(dt.datetime.now(dt.UTC) - published)})</span>"
        )

    # the filters

    def _draw_controls(self) -> None:
        controls = [w for each in self.dashboard.filters for w in self._control(each)]
        for column, value in self.place.carried.items():
            label = f"{column.replace('_', ' ')}: {value}  ✕"
            controls.append(self._button(label, lambda column=column: self._drop(column)))
        self.controls.children = controls

    def _control(self, each: BoardFilter) -> list[Any]:
        ipw, offered = self.ipw, self.offered[each.column]
        now, width = self.place.chosen[each.column], {"description_width": "initial"}
        labels = [choice.label for choice in offered] + ([BETWEEN] if each.dates else [])
        value = now.label if now.label in labels else labels[0]
        dropdown = ipw.Dropdown(options=labels, value=value, description=each.label, style=width)
        dropdown.layout.width = "auto"
        if not each.dates:
            dropdown.observe(lambda change: self._choose(each.column, offered[labels.index(change["new"])]), "value")
            return [dropdown]
        first, last = (
            ipw.DatePicker(description=word, style=width, layout={"width": "170px"}) for word in ("from", "to")
        )
        if isinstance(now.value, Days):
            first.value, last.value = now.value

        def days_chosen(_: Any = None) -> None:
            for picker in (first, last):
                picker.layout.display = "" if dropdown.value == BETWEEN else "none"
            if dropdown.value != BETWEEN:
                self._choose(each.column, offered[labels.index(dropdown.value)])
            elif first.value and last.value:
                self._choose(each.column, Choice(BETWEEN, Days(first.value, last.value)))

        for picker in (first, last):
            picker.layout.display = "" if value == BETWEEN else "none"
        for control in (dropdown, first, last):
            control.observe(days_chosen, "value")
        return [dropdown, first, last]

    def _choose(self, column: str, choice: Choice) -> None:
        self.place.chosen[column] = choice
        self.redraw()

    def _drop(self, column: str) -> None:
        del self.place.carried[column]
        self._draw_controls()
        self.redraw()

    def _button(self, label: str, action: Any) -> Any:
        button = self.ipw.Button(description=label, layout={"width": "auto"})
        button.on_click(lambda _: self._tried(action))
        return button

    def _tried(self, action: Any) -> None:

        try:
            action()
        except UserError as error:
            self.state.value = f"<span class='clv-problem'>{html.escape(str(error))}</span>"


def _failed(each: Failed, key: str) -> dict[str, Any]:
    problem = f"<p class='clv-problem'>{html.escape(each.reason)}</p>"
    return {"key": key, "title": each.title, "subtitle": "", "spec": {}, "html": problem, "width": each.width}


def _age(age: dt.timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    if minutes < 60:
        return "just now" if minutes < 1 else f"{minutes} min ago"
    return f"{minutes // 60} h ago" if minutes < 48 * 60 else f"{minutes // 1440} days ago"
