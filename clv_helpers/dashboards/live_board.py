"""The live board: filters on top, charts below, redrawn when a filter changes; a click leads into a second board."""

from __future__ import annotations

import contextlib
import datetime as dt
import html
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from clv_helpers.charts import Channel, Picture, Widget
from clv_helpers.charts.rows import Behind
from clv_helpers.charts.show import stack
from clv_helpers.charts.texts import day_in_words, header, kind
from clv_helpers.config.workbook import Workbook
from clv_helpers.dashboards import address, behind, controls, filters, spec, static_board
from clv_helpers.dashboards.filters import Offer
from clv_helpers.dashboards.published import Published
from clv_helpers.dashboards.spec import load
from clv_helpers.editors.editor import WRAPPED
from clv_helpers.errors import UserError

# The boards that notebooks 3, 4 and 6 show by name; decile is where a click on a decile leads.
IN_NOTEBOOKS = ("value", "customers", "products", "migration", "forecast", "at_risk", "audiences", "campaign_results")
DRILL_TARGETS = ("decile",)
MAKE = "Make an audience of these"
MakeAudience = Callable[[Workbook, list[Behind]], str]  # audiences.of_marks.make, which no board may import


def board(workbook: Workbook, *names: str, make_audience: MakeAudience | None = None) -> Any:
    """Dashboards, the first one open; those that there are not are left out, and None where there is none of them.

    Gives an ipywidgets box in JupyterLab; in a batch run an `Output` of one board below the other, with filters that
    need no kernel. With `make_audience` (audiences.of_marks) an audience can be made of what was picked. Raises
    ParamsError for a file that is wrong.

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
    return LiveBoard(workbook, known, make_audience=make_audience).widget


def others(workbook: Workbook) -> list[str]:
    """The dashboards that no notebook shows by name, so that each of them comes into the report.

    Example:
        >>> dashboards.others(wb)
        ['acquisition']
    """
    return [name for name in spec.names(workbook) if name not in (*IN_NOTEBOOKS, *DRILL_TARGETS)]


def in_order(workbook: Workbook) -> list[str]:
    """The boards that are offered as such, in the order of the notebooks, value first; where a click leads is none.

    Example:
        >>> from clv_helpers.dashboards.live_board import in_order
        >>> in_order(wb)[:2]
        ['value', 'customers']
    """
    available, rest = spec.names(workbook), others(workbook)
    return [name for name in (*IN_NOTEBOOKS, *rest) if name in available]


@dataclass
class ViewState:
    """A dashboard on the screen: what each filter is set to, what the click that led here brought, what is picked."""

    name: str
    chosen: dict[str, Any] = field(default_factory=dict)
    inherited: dict[str, Any] = field(default_factory=dict)
    picked: dict[str, Any] = field(default_factory=dict)
    said: address.Pairs = field(default_factory=list)  # in the page's address


class LiveBoard:
    """Holds what is on the screen and the history before it; `widget` is the ipywidgets box to display."""

    def __init__(
        self,
        workbook: Workbook,
        names: list[str],
        in_address: bool = False,
        make_audience: MakeAudience | None = None,
    ):
        import ipywidgets as ipw

        from clv_helpers.dashboards.grid import View

        self.ipw, self.workbook, self.make_audience = ipw, workbook, make_audience
        self.published = Published(workbook)
        self.view = View(cards=[], picks=True, in_address=in_address)
        self.view.on_msg(lambda _, message, __: self._hear(**message))
        self.title, self.state = ipw.HTML(), ipw.HTML()
        titles = [(load(workbook, name).title, name) for name in names]
        self.boards = ipw.ToggleButtons(
            description="Board",
            options=titles,
            value=names[0],
            layout={"width": "100%"},
            style={"button_width": "auto"},
        )
        self.boards.add_class("clv-tabs")
        self.boards.observe(lambda change: self._attempt(lambda: self._switch(change["new"])), names="value")
        self.back_button = self._button("← Back", self.back)
        buttons = [self._button("Refresh", self.refresh), self._button("Reset filters", self.reset)]
        switch = [self.boards] if len(names) > 1 else []
        head = ipw.HBox([*switch, self.back_button, *buttons, self.state], layout=WRAPPED)
        self.controls = ipw.HBox(layout={**WRAPPED, "margin": "0 0 14px 0", "overflow": "visible"})
        self.history: list[ViewState] = []
        self.pictures: list[Picture] = []
        self.unknown: list[str] = []  # what an address asked for in vain
        self.entered = 0
        self.widget = ipw.VBox([head, self.title, self.controls, self.view], layout={"overflow": "visible"})
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

    def _switch(self, name: str) -> None:
        """To the board of a tab, unless it is there already, as an address led to it."""
        if self.history[0].name != name:
            self.open(ViewState(name))

    def restore(self, text: str) -> None:
        """Show what an address says, as far as it is offered here; what is not is said above the board."""
        steps, unknown = address.read(text)
        offered = [name for _, name in self.boards.options]
        for number, step in enumerate(steps):
            if step.name not in ([card.get("drill") for card in self.view.cards] if number else offered):
                unknown += [later.name for later in steps[number:]]
                break
            unknown += self._follow(step, is_first=not number)
        self.unknown = unknown
        self.boards.value = self.history[0].name
        self._draw_head()

    def _follow(self, step: address.Step, is_first: bool) -> list[str]:
        """Enter a board as a step of an address says it; gives what of it is not offered."""
        drilled, unknown = self._marks({} if is_first else step.drill)
        chosen: dict[str, Any] = {}
        dashboard = load(self.workbook, step.name)
        offers = {o.column: o for o in filters.offers(self.published.session, self.workbook, dashboard)}
        for column, labels in step.filter.items():
            with contextlib.suppress(KeyError):
                chosen[column] = offers[column].chosen_by(labels)
            lost = set(labels) - set(offers[column].labels(chosen[column]) if column in chosen else [])
            unknown += [f"{header(column, self.workbook.words)} {label}" for label in sorted(lost)]
        self.history = [] if is_first else self.history
        self._enter(ViewState(step.name, chosen, drilled))
        picked, strange = self._marks(step.pick)
        if picked:
            self.entered += 1  # so that the cards are drawn with it
            self.pick(picked)
        return unknown + strange

    def _marks(self, asked: dict[str, list[str]]) -> tuple[dict[str, Any], list[str]]:
        """Of what an address says was clicked, the values of marks that are there, and the others.

        Only so is a value of the type that small groups are known by; days pick nothing.
        """
        found: dict[str, Any] = {}
        for drawn in self.pictures:
            for column in asked.keys() & set(drawn.looks["pick"]):
                if kind(drawn.rows, Channel(column=column)) != "temporal":
                    values = {address.text_of(value): value for value in drawn.rows[column].tolist()}
                    found |= {column: values[asked[column][0]]} if asked[column][0] in values else {}
        lost = [f"{header(name, self.workbook.words)} {asked[name][0]}" for name in asked if name not in found]
        return found, lost

    def _hear(
        self,
        column: str = "",
        value: Any = None,
        drill: str = "",
        address: str = "",
        make: bool = False,
        reset: bool = False,
    ) -> None:
        self.unknown = []
        if reset:
            self._attempt(self.reset)
        elif make:
            self._make_audience()
        elif address:
            self._attempt(lambda: self.restore(address))
        elif drill:
            self.drill(drill, column, value)
        else:
            self.pick({column: value} if column else {})

    def pick(self, picked: dict[str, Any]) -> None:
        """Narrow to a mark's value what knows its column and does not spread it, key figures and titles too."""
        self.now.picked = picked
        self.redraw()

    def drill(self, name: str, column: str, value: Any) -> None:
        """Into a second board, narrowed to what was picked, with the filters chosen so far."""
        state = ViewState(name, _narrowed(self.now.chosen), {**self.now.inherited, column: value})
        self._attempt(lambda: self._enter(state))

    def back(self) -> None:
        """To the board that led here, as it was left."""
        if len(self.history) > 1:
            self.history.pop()
            self._enter(self.history.pop())

    def reset(self) -> None:
        """Every filter as the dashboard begins with it."""
        self._enter(ViewState(self.history.pop().name))

    def _enter(self, state: ViewState) -> None:
        self.entered += 1
        self.dashboard = load(self.workbook, state.name)
        self.history.append(state)
        self.offers = filters.offers(self.published.session, self.workbook, self.dashboard)
        self.as_of = filters.as_of(self.published.session)
        for offer in self.offers:
            self._begin(offer)
        self._draw_controls()
        self.redraw()

    def _begin(self, offer: Offer) -> None:
        """A filter begins with what the click brought, else with what was chosen before, else with its default."""
        state, default = self.now, offer.choices[offer.first]
        wanted = state.inherited.pop(offer.column, state.chosen.get(offer.column, default))
        state.chosen[offer.column] = wanted if offer.knows(wanted) else default

    # what is drawn

    def refresh(self) -> None:
        """Read the tables again, and draw them."""
        self.published.let_go()
        self.redraw()

    def redraw(self) -> None:
        """Draw every widget with the filters as chosen, from the published tables."""
        state, widgets = self.now, self.dashboard.widgets
        narrowed = self._filtered() | state.inherited | state.picked
        self.pictures = []
        cards = [self._card(widget, narrowed) for widget in widgets]
        with self.view.hold_sync():
            self.view.picked = next(({"column": name, "value": value} for name, value in state.picked.items()), {})
            self.view.cards = [{"key": f"{self.entered}/{state.name}/{i}", **card} for i, card in enumerate(cards)]
            self.view.address = self._address()
            can_act = self.make_audience and (state.picked or len(self.history) > 1)
            self.view.action, self.view.said = MAKE if can_act else "", ""
        self._draw_head()

    def _filtered(self) -> dict[str, Any]:
        """What the filters of the open board narrow to."""
        return _narrowed({offer.column: self.now.chosen[offer.column] for offer in self.offers})

    def _make_audience(self) -> None:
        """Write an audience of the customers that were picked, or led to; says where it is, or why there is none."""
        state, widgets = self.now, self.dashboard.widgets
        narrowed = self._filtered() | state.inherited
        clicked = state.picked if len(self.history) == 1 else narrowed | state.picked
        shown = behind.behind(self.published.session, self.workbook, widgets, narrowed, clicked)
        try:
            self.view.said = self.make_audience(self.workbook, shown) if self.make_audience else ""
        except UserError as error:
            self.view.said = str(error)

    def _address(self) -> str:
        """Where this view is to be found again: each board on the way here, with what it is not on by itself."""
        state = self.now
        changed = [offer for offer in self.offers if state.chosen[offer.column] != offer.choices[offer.first]]
        filtered = [
            (f"{address.FILTER}.{o.column}", label) for o in changed for label in o.labels(state.chosen[o.column])
        ]
        clicked = address.pairs(address.DRILL, state.inherited) + address.pairs(address.PICK, state.picked)
        state.said = [(address.BOARD, state.name), *filtered, *clicked]
        return address.written([each.said for each in self.history])

    def _card(self, widget: Widget, narrowed: dict[str, Any]) -> dict[str, Any]:
        """A widget with its query and where a click leads; one that cannot be drawn says why."""
        target = load(self.workbook, widget.drill).title if widget.drill else ""
        try:
            drawn = self.published.draw(widget, narrowed, [offer.column for offer in self.offers])
            self.pictures.append(drawn.picture)
            is_empty = drawn.picture.is_empty
            card = drawn.picture.saying(self._said(widget, drawn.columns, is_empty)).card
        except UserError as error:
            return static_board.card_without(self.workbook, widget, error, "clv-problem")
        card |= {"empty": is_empty, "reset": bool(self._changed() & {*drawn.columns})}
        return {**card, "drill": widget.drill, "drillTitle": target, "sql": drawn.sql}

    def _changed(self) -> set[str]:
        """The columns of what narrows the board beyond what it begins with."""
        state = self.now
        set_ = {offer.column for offer in self.offers if state.chosen[offer.column] != offer.choices[offer.first]}
        return set_ | state.inherited.keys() | state.picked.keys()

    def _said(self, widget: Widget, columns: list[str], is_empty: bool) -> str:
        """What a card says of filters and of the picked mark: to what they narrow it (`columns`), or that they do not.

        A chart that spreads what is picked shows it by its colours; one with nothing to show says all that narrows it.
        """
        spread, offered = {drawn.column for drawn in widget.fields}, {offer.column for offer in self.offers}
        clicked = {**(self.now.inherited if is_empty else {}), **self.now.picked}
        picked = {column: value for column, value in clicked.items() if column not in spread}
        others = [
            f"{name}: {value}" if column in columns else f"not narrowed by {name}"
            for column, value in picked.items()
            if column not in offered
            for name in [header(column, self.workbook.words)]
        ]
        said = filters.said(self.offers, self.now.chosen | picked, columns, is_empty)
        return "; ".join(filter(None, [said, *others]))

    def _draw_head(self) -> None:
        path = " › ".join(html.escape(load(self.workbook, state.name).title) for state in self.history)
        about = html.escape(self.dashboard.description)
        below = f"<p style='margin:2px 0'>{about}</p>" if about else ""
        if self.unknown:
            lost = html.escape(", ".join(self.unknown))
            below += f"<p class='clv-problem' role='status'>What the address names and is not here: {lost}.</p>"
        self.title.value = f"<h2 style='margin:0'>{path}</h2>{below}"
        self.back_button.layout.display = "" if len(self.history) > 1 else "none"
        published = dt.datetime.fromtimestamp(self.workbook.engine.published.stat().st_mtime, dt.UTC)
        self.state.value = (
            f"<span class='clv-state'>as of {day_in_words(self.as_of)}, tables published "
            f"{day_in_words(published)}, {published:%H:%M} UTC ({_age(dt.datetime.now(dt.UTC) - published)})</span>"
        )

    # the filters

    def _draw_controls(self) -> None:
        chosen = self.now.chosen
        each = (controls.of(offer, chosen[offer.column], partial(self._choose, offer.column)) for offer in self.offers)
        shown = [control for controls_of_one in each for control in controls_of_one]
        for column, value in self.now.inherited.items():
            label = f"{header(column, self.workbook.words)}: {value}  ✕"
            shown.append(self._button(label, partial(self._drop, column)))
        self.controls.children = shown

    def _choose(self, column: str, value: Any) -> None:
        """Redraw, where it is another choice."""
        if self.now.chosen[column] != value:
            self.now.chosen[column] = value
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


def _narrowed(chosen: dict[str, Any]) -> dict[str, Any]:
    """The filters that are not on all, as `charts` takes them."""
    return {name: value for name, value in chosen.items() if value is not None}


def _age(age: dt.timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    if minutes < 60:
        return "just now" if minutes < 1 else f"{minutes} min ago"
    return f"{minutes // 60} h ago" if minutes < 48 * 60 else f"{minutes // 1440} days ago"
