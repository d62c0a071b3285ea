"""The composer's left pane: a table or a SELECT, its columns with type, meaning and values, and where they go."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

from sqlglot import exp

from clv_helpers.config import yaml_files
from clv_helpers.config.workbook import Workbook
from clv_helpers.dashboards import column_catalog, dashboard_files
from clv_helpers.dashboards.column_catalog import Attribute
from clv_helpers.dashboards.draft import SHELVES, Draft
from clv_helpers.engines.dialect import table
from clv_helpers.engines.guarded_query import MEMORY, ask, parse_select
from clv_helpers.errors import UserError

PREVIEW_ROWS = 8


def problem(text: str) -> str:
    """What is wrong, in words."""
    return f"<div class='clv-problem' style='white-space:pre-wrap'>{html.escape(text)}</div>"


def rows_table(rows: list[dict[str, Any]]) -> str:
    """A few rows as a small table."""
    if not rows:
        return "<p>No rows.</p>"
    head = "".join(f"<th>{html.escape(name)}</th>" for name in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(_short(value))}</td>" for value in row.values()) + "</tr>" for row in rows
    )
    return f"<div style='overflow-x:auto'><table><tr>{head}</tr>{body}</table></div>"


class DataPanel:
    """Where a widget's rows come from; `change` takes what is to be done to the draft."""

    def __init__(self, workbook: Workbook, change: Callable[[Callable[[Draft], None]], None]):
        import ipywidgets as ipw

        self.ipw, self.workbook, self.change = ipw, workbook, change
        self.attributes: list[Attribute] = []
        self.source: exp.Expression | None = None
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
        places = [("→ " + shelf, shelf) for shelf in SHELVES] + [("→ filter", "filter"), ("→ column", "columns")]
        shelves = [self._button(label, lambda place=place: self._put(place)) for label, place in places]
        swap = self._button("⇄ swap axes", lambda: change(lambda d: d.swap()))
        self.face = ipw.VBox(
            [self.choice, self.about, self.search, self.columns,
             ipw.HBox([*shelves, swap], layout={"flex_flow": "row wrap"}), self.details, self.rows, self._sql_mode()],
        )  # fmt: skip
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

    def _button(self, label: str, action: Callable[[], Any]) -> Any:
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
            self.attributes = column_catalog.attributes(session, source.copy(), name)
            rows = session.count(source.copy())
            self.rows.value = f"<b>Sample rows</b>{rows_table(column_catalog.sample(session, source.copy(), 3))}"
        told = column_catalog.one_row(name)
        self.about.value = f"{rows:,} rows{'; one is ' + html.escape(told) if told else ''}"
        self._list()

    def _list(self) -> None:
        wanted = self.search.value.lower()
        found = [a for a in self.attributes if wanted in f"{a.name} {a.about}".lower()]
        self.columns.options = [(f"{a.name} · {a.kind}", a.name) for a in found]
        self._describe()

    def _attribute(self) -> Attribute | None:
        return next((a for a in self.attributes if a.name == self.columns.value), None)

    def _describe(self) -> None:
        attribute = self._attribute()
        if attribute is None or self.source is None:
            self.details.value = ""
            return
        with self.workbook.engine.read() as session:
            some = column_catalog.values(session, self.source.copy(), attribute.name, most=6)
        values = ", ".join(_short(value) for value in some)
        about = f"{html.escape(attribute.about)}<br>" if attribute.about else ""
        self.details.value = f"<b>{html.escape(attribute.name)}</b>, {attribute.kind}<br>{about}{html.escape(values)} …"

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
        with self.workbook.engine.read() as session:
            found = column_catalog.values(session, self.source.copy(), attribute.name)
        if not found:
            raise UserError(f"{attribute.name} has no value to filter by")
        return found[0] if isinstance(found[0], str | int | float | bool) else str(found[0])

    # SQL of one's own

    def _sql_mode(self) -> Any:
        ipw = self.ipw
        self.sql_name = ipw.Text(placeholder="file, such as by_region", layout={"width": "auto"})
        self.sql = ipw.Textarea(rows=6, placeholder="SELECT … over the published tables", layout={"width": "auto"})
        self.sql_result = ipw.HTML()
        self.sql_read: dict[str, str] = {}
        buttons = [self._button("Preview", self._preview), self._button("Use", self._use)]
        inside = ipw.VBox([self.sql_name, self.sql, ipw.HBox(buttons), self.sql_result])
        mode = ipw.Accordion([inside], titles=["SQL of one's own"])
        mode.layout.margin = "8px 0 0 0"
        return mode

    def _open_sql(self, name: str) -> None:
        file = yaml_files.file_of(self.workbook, "dashboards", name, "sql")
        if file.exists() and (self.sql_name.value != name or not self.sql.value):
            self.sql_name.value, self.sql.value = name, file.read_text("utf-8")
            self.sql_read[name] = yaml_files.fingerprint(file)
        if file.exists():
            self._read(parse_select(file.read_text("utf-8"), file.name).subquery("data"), "")

    def _preview(self) -> bool:
        """Run the SELECT on the published tables, read-only; a few of its rows."""
        try:
            with self.workbook.engine.read(memory=MEMORY) as session:
                rows = ask(session, self.sql.value, "the SQL", PREVIEW_ROWS)
        except UserError as error:
            self.sql_result.value = problem(str(error))
            return False
        self.sql_result.value = rows_table(rows.to_dict("records"))
        return True

    def _use(self) -> None:
        """Save the SELECT beside the dashboards, and take the widget's rows from it."""
        if not self._preview():
            return
        name = self.sql_name.value.strip()
        try:
            self.sql_read[name] = dashboard_files.save_sql(
                self.workbook, name, self.sql.value, self.sql_read.get(name, "")
            )
        except UserError as error:
            self.sql_result.value = problem(str(error))
            return

        def use(draft: Draft) -> None:
            if not draft.widgets:
                draft.add(self.table)
            draft.use(name, is_sql=True)

        self.change(use)


def _short(value: Any) -> str:
    text = "–" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
    return text.removesuffix(" 00:00:00")
