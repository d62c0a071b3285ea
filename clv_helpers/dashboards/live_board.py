"""The live board: filters on top, charts below, redrawn when a filter changes; a click leads into a second board."""

from __future__ import annotations

import datetime as dt
import html
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from clv_helpers.charts.rows import Days
from clv_helpers.charts.show import stack
from clv_helpers.charts.texts import day_in_words, header
from clv_helpers.config.workbook import Workbook
from clv_helpers.dashboards import filters, spec, static_board
from clv_helpers.dashboards.drawing import Drawn, Failed, card_of, card_without, pictures
from clv_helpers.dashboards.filters import Choice
from clv_helpers.dashboards.spec import BoardFilter, load
from clv_helpers.editors.editor import LABELLED
from clv_helpers.errors import UserError

BETWEEN = "from … to"
# The boards that notebooks 3, 4 and 6 show by name; decile is where a click on a decile leads.
IN_NOTEBOOKS = ("value", "migration", "forecast", "audiences", "campaign_results")
DRILL_TARGETS = ("decile",)


def board(workbook: Workbook, *names: str) -> Any:
    """Dashboards, the first one open; those that there are not are left out, and None where there is none of them.

    Gives an ipywidgets box in JupyterLab; in a batch run an `Output` of one board below the other, with filters that
    need no kernel. Raises ParamsError for a file that is wrong.

    Cost: in a batch run each chart is drawn for up to 80 choices of the filters that it follows.

    Example:
        >>> dashboards.board(wb, "value", "migration")  # doctest: +ELLIPSIS
        VBox(...)
    """
    available = spec.names(workbook)
    known = [name for name in names if name in available]
    if not known:
        return None
    if not workbook.interactive:
        return stack(*(static_board.board(workbook, name) for name in known))
    return LiveBoard(workbook, known).widget


def others(workbook: Workbook) -> list[str]:
    """The dashboards that no notebook shows by name, so that each of them comes into the report.

    Example:
        >>> dashboards.others(wb)
        []
    """
    return [name for name in spec.names(workbook) if name not in (*IN_NOTEBOOKS, *DRILL_TARGETS)]


@dataclass
class ViewState:
    """A dashboard on the screen: what is chosen in its filters, and what it inherited from the click that led here."""

    name: str
    chosen: dict[str, Choice] = field(default_factory=dict)
    inherited: dict[str, Any] = field(default_factory=dict)


class LiveBoard:
    """Holds what is on the screen and the history before it; `widget` is the ipywidgets box to display."""

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
        self.history: list[ViewState] = []
        titles = [(load(workbook, name).title, name) for name in names]
        self.boards.options, self.boards.value = titles, names[0]
        self.boards.observe(lambda change: self._attempt(lambda: self.open(ViewState(change["new"]))), names="value")
        head = ipw.HBox(
            [self.back_button, *([self.boards] if len(names) > 1 else []), self._button("Refresh", self.redraw),
             self._button("Reset filters", self.reset), self.state],
            layout={"flex_flow": "row wrap", "align_items": "center"},
        )  # fmt: skip
        self.widget = ipw.VBox([self.title, head, self.controls, self.view], layout={"overflow": "visible"})
        self.widget.add_class("clv-live")
        self.open(ViewState(names[0]))

    # what is on the screen

    @property
    def now(self) -> ViewState:
        return self.history[-1]

    def open(self, state: ViewState) -> None:
        """Show a dashboard, and forget the history."""
        self.history = []
        self._enter(state)

    def drill(self, name: str, column: str, value: Any) -> None:
        """Into a second board, narrowed to what was picked, with the filters chosen so far."""
        chosen = {name: c for name, c in self.now.chosen.items() if c.value is not None}
        self._attempt(lambda: self._enter(ViewState(name, chosen, {**self.now.inherited, column: value})))

    def back(self) -> None:
        """To the board that led here, as it was left."""
        if len(self.history) > 1:
            self.history.pop()
            self._enter(self.history.pop())

    def reset(self) -> None:
        """Every filter as the dashboard begins with it."""
        self._enter(ViewState(self.history.pop().name))

    def _enter(self, state: ViewState) -> None:
        self.dashboard = load(self.workbook, state.name)
        self.history.append(state)
        with self.workbook.engine.read() as session:
            self.offered = {f.column: filters.choices(session, f) for f in self.dashboard.filters}
            self.as_of = filters.as_of(session)
        for board_filter in self.dashboard.filters:
            self._begin(board_filter)
        self._draw_controls()
        self.redraw()

    def _begin(self, board_filter: BoardFilter) -> None:
        """A filter begins with what the click brought, else with what was chosen before, else with its default."""
        name, state = board_filter.column, self.now
        wanted = state.inherited.pop(name, None)
        if wanted is None and name in state.chosen:
            wanted = state.chosen[name].value
            if isinstance(wanted, Days):
                return
        offered = self.offered[name]
        chosen = next((choice for choice in offered if choice.value == wanted and wanted is not None), None)
        state.chosen[name] = chosen or filters.default_of(board_filter, offered)

    # what is drawn

    def redraw(self) -> None:
        """Draw every widget with the filters as chosen, from the published tables."""
        state = self.now
        own = {f.column for f in self.dashboard.filters}
        chosen = {name: choice for name, choice in state.chosen.items() if name in own}
        narrowed = filters.narrowed(chosen) | state.inherited
        targets = {widget.drill for widget in self.dashboard.widgets if widget.drill}
        titles = {name: load(self.workbook, name).title for name in targets}
        drawn = pictures(self.workbook, self.dashboard, narrowed, with_sql=True)
        self.view.cards = [{"key": f"{state.name}/{i}", **_card(one, titles)} for i, one in enumerate(drawn)]
        self._draw_head()

    def _draw_head(self) -> None:
        path = " › ".join(html.escape(load(self.workbook, state.name).title) for state in self.history)
        self.title.value = f"<h2 style='margin:0'>{path}</h2>" + (
            f"<p style='margin:2px 0'>{html.escape(self.dashboard.description)}</p>"
            if self.dashboard.description
            else ""
        )
        self.back_button.layout.display = "" if len(self.history) > 1 else "none"
        published = dt.datetime.fromtimestamp(self.workbook.engine.published.stat().st_mtime, dt.UTC)
        self.state.value = (
            f"<span class='clv-state'>as of {day_in_words(self.as_of)}, tables published "
            f"{day_in_words(published)}, {published:%H:%M} UTC ({_age(dt.datetime.now(dt.UTC) - published)})</span>"
        )

    # the filters

    def _draw_controls(self) -> None:
        controls = [field for board_filter in self.dashboard.filters for field in self._control(board_filter)]
        for column, value in self.now.inherited.items():
            label = f"{header(column, self.workbook.words)}: {value}  ✕"
            controls.append(self._button(label, partial(self._drop, column)))
        self.controls.children = controls

    def _control(self, board_filter: BoardFilter) -> list[Any]:
        column, offered = board_filter.column, self.offered[board_filter.column]
        chosen = self.now.chosen[column]
        labels = [choice.label for choice in offered] + ([BETWEEN] if board_filter.dates else [])
        dropdown = self.ipw.Dropdown(
            options=labels,
            value=chosen.label if chosen.label in labels else labels[0],
            description=board_filter.label,
            style=LABELLED,
            layout={"width": "auto"},
        )
        pickers = self._pickers(chosen) if board_filter.dates else []

        def choose(_: Any = None) -> None:
            if dropdown.value != BETWEEN:
                self._choose(column, offered[labels.index(dropdown.value)])
            elif all(picker.value for picker in pickers):
                self._choose(column, Choice(BETWEEN, Days(*(picker.value for picker in pickers))))

        def show_pickers(_: Any = None) -> None:
            for picker in pickers:
                picker.layout.display = "" if dropdown.value == BETWEEN else "none"

        show_pickers()
        dropdown.observe(show_pickers, "value")
        for control in (dropdown, *pickers):
            control.observe(choose, "value")
        return [dropdown, *pickers]

    def _pickers(self, chosen: Choice) -> list[Any]:
        """From which day to which, of a choice by days."""
        days = chosen.value if isinstance(chosen.value, Days) else (None, None)
        return [
            self.ipw.DatePicker(description=word, value=day, style=LABELLED, layout={"width": "170px"})
            for word, day in zip(("from", "to"), days, strict=True)
        ]

    def _choose(self, column: str, choice: Choice) -> None:
        self.now.chosen[column] = choice
        self.redraw()

    def _drop(self, column: str) -> None:
        del self.now.inherited[column]
        self._draw_controls()
        self.redraw()

    def _button(self, label: str, action: Callable[[], object]) -> Any:
        button = self.ipw.Button(description=label, layout={"width": "auto"})
        button.on_click(lambda _: self._attempt(action))
        return button

    def _attempt(self, action: Callable[[], object]) -> None:
        try:
            action()
        except UserError as error:
            self.state.value = f"<span class='clv-problem'>{html.escape(str(error))}</span>"


def _card(drawn: Drawn | Failed, titles: dict[str, str]) -> dict[str, Any]:
    """A widget with its query and where a click leads; one that cannot be drawn says why."""
    if isinstance(drawn, Failed):
        problem = f"<p class='clv-problem'>{html.escape(drawn.reason)}</p>"
        return card_without(drawn.title, drawn.width, problem)
    target = drawn.picture.widget.drill
    return card_of(drawn.picture) | {"drill": target, "drillTitle": titles.get(target or "", ""), "sql": drawn.sql}


def _age(age: dt.timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    if minutes < 60:
        return "just now" if minutes < 1 else f"{minutes} min ago"
    return f"{minutes // 60} h ago" if minutes < 48 * 60 else f"{minutes // 1440} days ago"
