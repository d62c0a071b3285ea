"""The composer's left pane: a table or a SELECT, its columns with type, meaning and values, and where they go."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from html import escape
from typing import Any

from sqlglot import exp

from clv_helpers.charts import AXES
from clv_helpers.conditions import Attribute
from clv_helpers.config import yaml_files
from clv_helpers.dashboards.draft import Draft
from clv_helpers.editors import Editor, attributes, columns, html
from clv_helpers.editors.editor import WRAPPED
from clv_helpers.engines.dialect import table
from clv_helpers.engines.guarded_query import MEMORY, ask, parse_select
from clv_helpers.engines.session import Session
from clv_helpers.errors import UserError
from clv_helpers.models.catalog import CHARTED

PREVIEW_ROWS = 8
OF_CUSTOMERS = {"customer_id", "customer"}  # tables with a row per customer are no table of a chart
WIDE = {"width": "auto"}


def tables(session: Session) -> list[str]:
    """The tables that charts can be made of: aggregates, no row per customer."""
    charted = [name for name in session.tables() if name.partition(".")[0] in CHARTED]
    return [name for name in charted if not OF_CUSTOMERS & set(session.columns(table(name)))]


class DataPanel:
    """Where a widget's rows come from."""

    def __init__(self, composer: Editor[Draft]):
        self.composer, self.ipw, self.workbook = composer, composer.ipw, composer.workbook
        ipw, button = self.ipw, composer.button
        self.attributes: list[Attribute] = []
        self.source: exp.Expression = exp.select("1")
        with self.workbook.engine.read() as session:
            self.tables = tables(session)
        self.choice = ipw.Dropdown(options=self.tables, layout=WIDE)
        self.about, self.details, self.rows = ipw.HTML(), ipw.HTML(), ipw.HTML()
        self.search = ipw.Text(placeholder="search columns", layout=WIDE)
        self.columns = ipw.Select(rows=11, layout=WIDE)
        self.choice.observe(lambda change: self._choose(change["new"]), "value")
        self.search.observe(lambda _: self._list(), "value")
        self.columns.observe(lambda _: self._describe(), "value")
        places = {**{axis: axis for axis in AXES}, "filter": "filter", "column": "columns"}
        shelves = [button(f"→ {label}", partial(self._put, place)) for label, place in places.items()]
        swap = button("⇄ swap axes", lambda: composer.change(lambda draft: draft.swap()))
        buttons = ipw.HBox([*shelves, swap], layout=WRAPPED)
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
        else:
            self._choose(widget.get("table"))

    # tables and columns

    def _choose(self, name: str | None) -> None:
        if name:
            self._read(table(name), name)

    def _read(self, source: exp.Expression, name: str) -> None:
        with self.workbook.engine.read() as session:
            if name and not session.has_table(name):
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
        attribute, source = self._attribute(), self.choice.value
        if attribute is None:
            return

        def put(draft: Draft) -> None:
            if not draft.widgets:
                draft.add(source)
            elif draft.widget.get("table") not in (None, source):
                draft.use(source)
            if place == "filter":
                draft.set(f"filters.{attribute.name}", self._first_value(attribute))
            else:
                draft.put(place, attribute)

        self.composer.change(put)

    def _first_value(self, attribute: Attribute) -> Any:
        values = self._values(attribute, 2)
        if not values:
            raise UserError(f"{attribute.name} has no value to filter by")
        return values[0] if isinstance(values[0], str | int | float | bool) else str(values[0])

    # SQL of one's own

    def _sql_mode(self) -> Any:
        ipw = self.ipw
        self.sql_name = ipw.Text(placeholder="file, such as by_region", layout=WIDE)
        self.sql = ipw.Textarea(rows=6, placeholder="SELECT … over the published tables", layout=WIDE)
        self.sql_result = ipw.HTML()
        self.sql_read: dict[str, str] = {}  # by name: the fingerprint of the file that was read
        actions = {"Preview": self._preview, "Use": self._use}
        buttons = [self.composer.button(label, partial(self._attempt, action)) for label, action in actions.items()]
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
        name, sql = self.sql_name.value.strip(), self.sql.value.rstrip() + "\n"
        file = yaml_files.file_of(self.workbook, "dashboards", name, "sql")
        self.sql_read[name] = yaml_files.save(file, sql, self.sql_read.get(name, ""))

        def use(draft: Draft) -> None:
            if not draft.widgets:
                draft.add(self.table)
            draft.use(name, is_sql=True)

        self.composer.change(use)
