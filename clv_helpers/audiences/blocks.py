"""The builder's left pane: attributes, events and audiences to choose from, and the fields that make a condition."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

from clv_helpers.audiences import audience_files, estimate, panels
from clv_helpers.audiences.catalog import Catalog, event_tables
from clv_helpers.audiences.checks import known_categories
from clv_helpers.audiences.draft import TIMES, Draft, to_comparison, to_condition, to_value, to_when
from clv_helpers.audiences.sentence import to_sentence
from clv_helpers.conditions import OPERATORS_OF, Attribute
from clv_helpers.conditions.checks import comparable, comparisons_of
from clv_helpers.conditions.condition import MEASURES
from clv_helpers.config.deciles import BUILT_IN, EVERYONE
from clv_helpers.config.workbook import Workbook
from clv_helpers.editors import html
from clv_helpers.editors.editor import soon
from clv_helpers.errors import UserError

ROLES = ("a condition", "begins a sequence", "next in the sequence", "absent next", "a filter of the selected event")
LOOKBACKS = [("12 months", 12), ("9 months", 9), ("6 months", 6), ("3 months", 3), ("1 month", 1), ("lifetime", 0)]
A_VALUE = "a value"  # and else the columns with which one can be compared
COUNTED = ["at least", *(measure for measure in MEASURES if measure != "at least")]


class Blocks:
    """The pane's widgets; `change` is called with what is to be done to the draft."""

    def __init__(self, workbook: Workbook, catalog: Catalog, change: Callable[[Callable[[Draft], None]], None]):
        import ipywidgets as ipw

        self.workbook, self.catalog, self._change = workbook, catalog, change
        # of maps, not columns: the deciles of the value, and the rankings of the params
        self.maps = {f"decile within a {workbook.words.category}": BUILT_IN}
        self.maps |= {f"place in {name.replace('_', ' ')}": name for name in catalog.maps}
        wide = {"width": "auto"}  # of 100%, margins would stand beyond the pane's edge

        def labelled(widget: Any, label: str, **more: Any) -> Any:
            return widget(description=label, layout=wide, style={"description_width": "74px"}, **more)

        self.kind = ipw.ToggleButtons(options=["Attributes", "Events", "Audiences"], style={"button_width": "88px"})
        self.search = ipw.Text(placeholder="search by name or meaning", continuous_update=True, layout=wide)
        self.blocks = ipw.Select(rows=8, layout=wide)
        self.about = ipw.HTML()
        self.column = labelled(ipw.Dropdown, "where")
        self.category = labelled(ipw.Combobox, "within", placeholder="ALL: among everyone")
        self.lookback = labelled(ipw.Dropdown, "over", options=LOOKBACKS)
        self.op = labelled(ipw.Dropdown, "operator")
        self.than = labelled(ipw.Dropdown, "than", options=[A_VALUE])
        self.value = labelled(ipw.Textarea, "value", rows=1, placeholder="several by comma")
        self.times = labelled(ipw.Dropdown, "time", options=list(TIMES))
        self.moment = labelled(ipw.Text, "")
        self.ignore_year = ipw.Checkbox(description="in any year", indent=False)
        self.measure = labelled(ipw.Dropdown, "measure", options=["count", "sum", "average", "min", "max", "all"])
        self.of = labelled(ipw.Dropdown, "of")
        self.number_op = labelled(ipw.Dropdown, "is", options=COUNTED)
        self.number = labelled(ipw.Text, "number", value="1")
        self.role = labelled(ipw.Dropdown, "as", options=list(ROLES))
        self.after = labelled(ipw.Text, "after", placeholder="at least, such as 1 hour")
        self.within = labelled(ipw.Text, "within", placeholder="at most, such as 7 days")
        self.add = ipw.Button(description="Add to the rule", button_style="primary", icon="plus", layout=wide)
        self.form = ipw.VBox()
        self.kind.observe(lambda _: self._choose_kind(), names="value")
        self.search.observe(lambda _: self._list_blocks(), names="value")
        self.blocks.observe(lambda _: self._choose_block(), names="value")
        for field in (self.column, self.times, self.measure, self.role, self.op, self.than):
            field.observe(lambda _: self._show_fields(), names="value")
        self.add.on_click(lambda _: soon(self._add))
        self.parts = [self.kind, self.search, self.blocks, self.about, self.form]
        self._choose_kind()

    def _choose_kind(self) -> None:
        self.search.value = ""
        self._list_blocks()

    def _list_blocks(self) -> None:
        if self.kind.value == "Attributes":
            blocks = {n: a.about for n, a in self.catalog.profile.items()} | dict.fromkeys(self.maps, "map of deciles")
        elif self.kind.value == "Events":
            blocks = dict.fromkeys(self.catalog.events, "events")
        else:
            blocks = dict.fromkeys(audience_files.names(self.workbook), "audience")
        wanted = self.search.value.lower()
        before = self.blocks.value
        offered = [name for name, about in blocks.items() if wanted in f"{name} {about}".lower()]
        self.blocks.options = offered
        self.blocks.value = before if before in offered else next(iter(offered), None)
        self._choose_block()

    def _choose_block(self) -> None:
        block = self.blocks.value
        self.about.value = ""
        if columns := self.catalog.events.get(block):
            self.column.options = ["(any)", *columns]
            self.of.options = [name for name, column in columns.items() if column.is_number]
        elif name := self._map():
            self._offer_entries(name)
        elif self.kind.value == "Audiences" and block:
            sentence = to_sentence(audience_files.load(self.workbook, block), self.workbook.words)
            self.about.value = html.sentences([sentence])
        self._describe()
        self._show_fields()

    def _describe(self) -> None:
        """What the chosen column means, and what is in it."""
        if attribute := self._attribute():
            source = event_tables(self.workbook.params).get(self.blocks.value, "profile.customer")
            with self.workbook.engine.read() as session:
                lookup, _, looked_up = attribute.name.rpartition(".")
                facts = estimate.describe(session, f"lake.{lookup}" if lookup else source, looked_up)
            self.about.value = panels.describe_panel(attribute, facts)
        elif name := self._map():
            self.about.value = escape(self._about_map(name).format(**self.workbook.words.model_dump()))

    def _map(self) -> str:
        """The name of the map that is chosen; empty where a column, an event or an audience is."""
        return self.maps.get(self.blocks.value, "") if self.kind.value == "Attributes" else ""

    def _about_map(self, name: str) -> str:
        if name == BUILT_IN:
            return "The {customer}'s decile within one {category}, or among everyone (ALL); 1 is the best tenth."
        ranking = next(each for each in self.workbook.params.deciles if each.name == name)
        by = ["{category}" if column == "category" else column for column in ranking.by]
        within = f"within one {' and '.join(by)}" if by else "among everyone"
        return f"The {{customer}}'s place {within}, from 1 (the best) to {ranking.ntile}: {ranking.of}."

    def _offer_entries(self, name: str) -> None:
        """The categories and look-backs that a map has, the first of them chosen."""
        with self.workbook.engine.read() as session:
            known = known_categories(session, [*self.catalog.maps]).get(name, [EVERYONE])
        known = sorted(known, key=lambda category: category != EVERYONE)
        self.category.options, self.category.value = known, known[0]
        self.lookback.options = LOOKBACKS if name == BUILT_IN else self.catalog.maps[name]

    def _attribute(self) -> Attribute | None:
        if self.blocks.value in self.catalog.events:
            return self.catalog.events[self.blocks.value].get(self.column.value)
        return self.catalog.profile.get(self.blocks.value) if self.kind.value == "Attributes" else None

    def _show_fields(self) -> None:
        """Only the fields that the chosen block needs."""
        attribute, is_event = self._attribute(), self.blocks.value in self.catalog.events
        if is_event:
            self._describe()
        fields = [self.column] if is_event else []
        kind = "integer" if self._map() else attribute.kind if attribute else ""
        if self._map():
            fields += [self.category, self.lookback]
        if kind:
            dated = attribute is not None and attribute.is_date
            others = comparable(attribute, self._columns()) if attribute else []
            operators = (["when"] if dated else []) + list(OPERATORS_OF[kind])
            operators += comparisons_of(kind) if dated and others else ()
            if tuple(operators) != self.op.options:
                self.op.options = operators
                self.op.value = operators[0]  # which new options alone leave open
            fields.append(self.op)
            than = [*([] if dated else [A_VALUE]), *others]
            if tuple(than) != self.than.options:
                self.than.options = than
            if others and self.op.value in comparisons_of(kind):
                fields.append(self.than)
            if self.op.value not in ("exists", "missing", "when"):
                self.value.description = "value" if self._than() is None else "plus"
                fields.append(self.value)
        if is_event or (kind and self.op.value == "when"):
            self.moment.placeholder = TIMES[self.times.value]
            fields += [self.times] + ([self.moment, self.ignore_year] if TIMES[self.times.value] else [])
        if is_event:
            fields += self._event_fields()
        self.form.children = [*fields, *([self.add] if self.blocks.value else [])]

    def _columns(self) -> dict[str, Attribute]:
        return self.catalog.events.get(self.blocks.value, self.catalog.profile)

    def _than(self) -> str | None:
        """The column with which the chosen one is compared; none where it is compared with a value."""
        attribute = self._attribute()
        compares = attribute is not None and self.op.value in comparisons_of(attribute.kind)
        return self.than.value if compares and self.than.value != A_VALUE else None

    def _event_fields(self) -> list[Any]:
        if self.role.value in ("next in the sequence", "absent next"):
            return [self.role, self.after, self.within]
        if self.role.value != "a condition":
            return [self.role]
        measured = [] if self.measure.value == "all" else [self.number_op, self.number]
        of = [] if self.measure.value in ("count", "all") else [self.of]
        return [self.role, self.measure, *of, *measured]

    def _add(self) -> None:
        block = self.blocks.value
        if block in self.catalog.events:
            self._change(lambda draft: self._add_event(draft, self._event()))
        elif self.kind.value == "Audiences":
            self._change(lambda draft: draft.add({"audience": block}))
        else:
            self._change(lambda draft: draft.add(self._condition()))

    def _condition(self) -> dict[str, Any]:
        attribute = self._attribute()
        if name := self._map():
            lookback = "lookback_months" if name == BUILT_IN else "lookback"
            asked = {"map": name, "category": self.category.value or EVERYONE, lookback: self.lookback.value}
            place = to_condition(Attribute(name, "integer", ""), self.op.value, self.value.value, None)
            del place["field"]
            return asked | place
        if attribute is None:
            raise UserError("Choose a column that the condition asks of.")
        if than := self._than():
            return to_comparison(attribute, self.op.value, than, self.value.value)
        when = to_when(self.times.value, self.moment.value, self.ignore_year.value) if self.op.value == "when" else None
        return to_condition(attribute, self.op.value, self.value.value, when)

    def _event(self) -> dict[str, Any]:
        raw: dict[str, Any] = {"event": self.blocks.value}
        if self._attribute() and self.op.value != "when":
            raw["where"] = {"all": [self._condition()]}
        if when := to_when(self.times.value, self.moment.value, self.ignore_year.value):
            raw["when"] = when
        return raw

    def _add_event(self, draft: Draft, raw: dict[str, Any]) -> None:
        selected, role = draft.row().part, self.role.value
        if role == "a filter of the selected event":
            if "event" not in selected or "where" not in raw:
                raise UserError("Select an event in the rule, and choose a column to filter it by.")
            old = selected.get("where", [])
            filters = old if isinstance(old, list) else old.get("all", [old])
            draft.replace({**selected, "where": {"all": [*filters, *raw["where"]["all"]]}})
        elif role in ("next in the sequence", "absent next"):
            if "sequence" not in selected:
                raise UserError("Select a sequence in the rule first; an event begins one.")
            gaps = {key: field.value for key, field in (("after", self.after), ("within", self.within)) if field.value}
            absent = {"absent": True} if role == "absent next" else {}
            draft.replace({"sequence": [*selected["sequence"], raw | gaps | absent]})
        elif role == "begins a sequence":
            draft.add({"sequence": [raw]})
        elif self.measure.value == "all":
            draft.add({**raw, "op": "all"})
        else:
            of = {} if self.measure.value == "count" else {"aggregate": self.measure.value, "of": self.of.value}
            op = self.number_op.value
            draft.add(raw | of | {"op": op, "value": to_value(self.number.value, "number", op)})
