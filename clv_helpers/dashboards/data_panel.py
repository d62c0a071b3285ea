"""The composer's left pane: a table or a SELECT, its columns with type, meaning and values, and where they go."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from html import escape
from typing import Any

from sqlglot import exp

from clv_helpers.config import yaml_files
from clv_helpers.config.workbook import Workbook
from clv_helpers.dashboards import column_catalog, dashboard_files
from clv_helpers.dashboards.draft import SHELVES, Draft
from clv_helpers.editors import Attribute, attributes, columns, html
from clv_helpers.engines.dialect import table
from clv_helpers.engines.guarded_query import MEMORY, ask, parse_select
from clv_helpers.errors import UserError

PREVIEW_ROWS = 8
Change = Callable[[Callable[[Draft], object]], None]


class DataPanel:
    """Where a widget's rows come from; `change` takes what is to be done to the draft."""

    def __init__(self, workbook: Workbook, change: Change):
        import ipywidgets as ipw

        self.ipw, self.workbook, self.change = ipw, workbook, change
        self.attributes: list[Attribute] = []
        self.source: exp.Expression = exp.select("1")
        with workbook.engine.read() as session:
            self.tables = column_catalog.tables(session)
        wide = {"width": "auto"}
        self.choice = ipw.Dropdown(options=self.tables, layout=wide)
        self.about, self.details, self.rows = ipw.HTML(), ipw.HTML(), ipw.HTML()
        self.search = ipw.Text(placeholder="search columns", layout=wide)
        self.columns = ipw.Select(rows=11, layout=wide)
        self.choice.observe(lambda change: self._choose(change["new"]), "value")
        self.search.observe(lambda _: self._list(), "value")
        self.columns.observe(lambda _: self._describe(), "value")
        places = {**{shelf: shelf for shelf in SHELVES}, "filter": "filter", "column": "columns"}
        shelves = [self._button(f"→ {label}", partial(self._put, place)) for label, place in places.items()]
        swap = self._button("⇄ swap axes", lambda: change(lambda draft: draft.swap()))
        buttons = ipw.HBox([*shelves, swap], layout={"flex_flow": "row wrap"})
        parts = [self.choice, self.about, self.search, self.columns, buttons, self.details, self.rows]
        self.widget = ipw.VBox([*parts, self._sql_mode()])
        self._choose(self.choice.value)

    @property
    def table(self) -> str:
        """The chosen table."""
        if not self.choice.value:
            raise UserError("There is no table yet to make a widget of: run the notebooks first.")
        return self.choice.value

    def show(self, draft: Draft) -> None:
        """The data of the draft's selected widget."""
        widget = draft.widget
        if widget.get("sql"):
            self._open_sql(widget["sql"])
        elif widget.get("table") in self.tables and self.choice.value != widget["table"]:
            self.choice.value = widget["table"]
        elif widget.get("table"):
            self._read(table(widget["table"]), widget["table"])

    def _button(self, label: str, action: Callable[[], object]) -> Any:
        button = self.ipw.Button(description=label, layout={"width": "auto"})
        button.on_click(lambda _: action())
        return button

    # tables and columns

    def _choose(self, name: str | None) -> None:
        if name:
            self._read(table(name), name)

    def _read(self, source: exp.Expression, name: str) -> None:
        with self.workbook.engine.read() as session:
            if isinstance(source, exp.Table) and not session.has_table(name):
                return
            self.source = source
            self.attributes = attributes(session, source.copy(), name)
            count = session.count(source.copy())
            rows = columns.sample(session, source.copy(), 3)
        self.rows.value = f"<b>Sample rows</b>{html.rows_table(rows)}"
        one_row = columns.one_row(name)
        self.about.value = f"{count:,} rows{'; one is ' + escape(one_row) if one_row else ''}"
        self._list()

    def _list(self) -> None:
        wanted = self.search.value.lower()
        offered = [a for a in self.attributes if wanted in f"{a.name} {a.about}".lower()]
        self.columns.options = [(f"{a.name} · {a.kind}", a.name) for a in offered]
        self._describe()

    def _attribute(self) -> Attribute | None:
        return next((a for a in self.attributes if a.name == self.columns.value), None)

    def _values(self, attribute: Attribute, most: int) -> list[Any]:
        with self.workbook.engine.read() as session:
            return columns.values(session, self.source.copy(), attribute.name, most)

    def _describe(self) -> None:
        attribute = self._attribute()
        if attribute is None:
            self.details.value = ""
            return
        values = ", ".join(html.in_short(value) for value in self._values(attribute, 6))
        about = f"{escape(attribute.about)}<br>" if attribute.about else ""
        self.details.value = f"<b>{escape(attribute.name)}</b>, {attribute.kind}<br>{about}{escape(values)} …"

    def _put(self, place: str) -> None:
        attribute = self._attribute()
        if attribute is None:
            return
        source = self.choice.value

        def put(draft: Draft) -> None:
            if not draft.widgets:
                draft.add(source)
            elif draft.widget.get("table") not in (None, source):
                draft.use(source)
            if place == "filter":
                draft.set(f"filters.{attribute.name}", self._first_value(attribute))
            else:
                draft.put(place, attribute)

        self.change(put)

    def _first_value(self, attribute: Attribute) -> Any:
        values = self._values(attribute, 2)
        if not values:
            raise UserError(f"{attribute.name} has no value to filter by")
        return values[0] if isinstance(values[0], str | int | float | bool) else str(values[0])

    # SQL of one's own

    def _sql_mode(self) -> Any:
        ipw = self.ipw
        self.sql_name = ipw.Text(placeholder="file, such as by_region", layout={"width": "auto"})
        self.sql = ipw.Textarea(rows=6, placeholder="SELECT … over the published tables", layout={"width": "auto"})
        self.sql_result = ipw.HTML()
        self.sql_read: dict[str, str] = {}
        actions = {"Preview": self._preview, "Use": self._use}
        buttons = [self._button(label, partial(self._attempt, action)) for label, action in actions.items()]
        inside = ipw.VBox([self.sql_name, self.sql, ipw.HBox(buttons), self.sql_result])
        return ipw.Accordion([inside], titles=["SQL of one's own"], layout={"margin": "8px 0 0 0"})

    def _attempt(self, action: Callable[[], object]) -> None:
        try:
            action()
        except UserError as error:
            self.sql_result.value = html.problem(str(error))

    def _open_sql(self, name: str) -> None:
        file = yaml_files.find(self.workbook, "dashboards", name, "sql")
        if file is None:
            return
        text = file.read_text("utf-8")
        if self.sql_name.value != name or not self.sql.value:
            self.sql_name.value, self.sql.value = name, text
            own = yaml_files.file_of(self.workbook, "dashboards", name, "sql")
            self.sql_read[name] = yaml_files.fingerprint(own)
        self._read(parse_select(text, file.name).subquery("data"), "")

    def _preview(self) -> None:
        """Run the SELECT on the published tables, read-only; a few of its rows."""
        with self.workbook.engine.read(memory=MEMORY) as session:
            rows = ask(session, self.sql.value, "the SQL", PREVIEW_ROWS)
        self.sql_result.value = html.rows_table(rows.to_dict("records"))

    def _use(self) -> None:
        """Save the SELECT beside the dashboards, and take the widget's rows from it."""
        self._preview()
        name = self.sql_name.value.strip()
        read_as = self.sql_read.get(name, "")
        self.sql_read[name] = dashboard_files.save_sql(self.workbook, name, self.sql.value, read_as)

        def use(draft: Draft) -> None:
            if not draft.widgets:
                draft.add(self.table)
            draft.use(name, is_sql=True)

        self.change(use)
