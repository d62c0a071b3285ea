"""The composer's fields for what a widget says and looks like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clv_helpers.config.validation import parse_value
from clv_helpers.config.workbook import Workbook
from clv_helpers.dashboards import column_catalog
from clv_helpers.dashboards.draft import SHELVES, WIDTHS, Draft
from clv_helpers.dashboards.spec import names
from clv_helpers.engines.dialect import table

AGGREGATES = {"as it is": None, "sum": "sum", "average": "avg", "least": "min", "most": "max"}
FORMATS = {
    "by itself": None, "1,234": ",.0f", "1.2k": ".2~s", "12.3M": ".3~s", "12 %": ".0%", "12.3 %": ".1%", "1.23": ".2f",
}  # fmt: skip


class Properties:
    """Title, axes, legend, size, order, filters and drill-through; `change` takes what is to be done to the draft."""

    def __init__(self, workbook: Workbook, change: Callable[[Callable[[Draft], None]], None]):
        import ipywidgets as ipw

        self.ipw, self.workbook, self.change = ipw, workbook, change
        self.fields: dict[str, Any] = {}
        self.filters = ipw.VBox()
        self.shelves = ipw.VBox([self._shelf(shelf) for shelf in SHELVES])
        targets = {"nowhere": None, **{name: name for name in names(workbook)}}
        texts = [self._text("title", "Title"), self._text("subtitle", "Subtitle")]
        looks = [
            self._choice("width", "Width", {w: w for w in WIDTHS}),
            self._number("height", "Height"),
            self._choice("legend", "Legend", {o: o for o in ("top", "right", "bottom", "none")}),
            self._check("labels", "Values on the marks"),
            self._text("sort", "Sort rows by", "-value"),
            self._number("limit", "At most rows"),
            self._choice("drill", "A click leads to", targets),
        ]
        self.face = ipw.VBox(
            [self.shelves, *texts, ipw.HBox(looks, layout={"flex_flow": "row wrap"}), self.filters],
        )

    def show(self, draft: Draft) -> None:
        """The selected widget's properties in the fields."""
        for path, (field, to_field) in self.fields.items():
            field.value = to_field(draft.get(path))
        self._show_filters(draft)

    # kinds of fields

    def _keep(self, path: str, field: Any, to_field: Callable[[Any], Any], to_draft: Callable[[Any], Any]) -> Any:
        self.fields[path] = (field, to_field)
        field.observe(lambda change: self.change(lambda d: d.set(path, to_draft(change["new"]))), "value")
        return field

    def _text(self, path: str, label: str, placeholder: str = "") -> Any:
        wide = path in ("title", "subtitle")
        field = self.ipw.Text(
            description=label, placeholder=placeholder, continuous_update=False,
            style={"description_width": "initial"}, layout={"width": "auto" if wide else "210px"},
        )  # fmt: skip
        if path == "sort":
            return self._keep(path, field, lambda v: ", ".join(v or []), lambda t: [p for p in t.split(", ") if p])
        return self._keep(path, field, lambda v: v or "", lambda text: text)

    def _number(self, path: str, label: str) -> Any:
        field = self.ipw.Text(
            description=label, continuous_update=False, placeholder="by itself",
            style={"description_width": "initial"}, layout={"width": "150px"},
        )  # fmt: skip
        return self._keep(
            path, field, lambda v: "" if v is None else str(v), lambda t: parse_value(t) if t.strip() else None
        )

    def _choice(self, path: str, label: str, options: dict[str, Any]) -> Any:
        values = {told: "" if value is None else value for told, value in options.items()}  # None would select nothing
        field = self.ipw.Dropdown(
            description=label, options=list(values.items()), style={"description_width": "initial"},
            layout={"width": "auto"},
        )  # fmt: skip
        default = {"width": "half", "legend": "top"}.get(path, next(iter(values.values())))
        return self._keep(path, field, lambda v: v if v in values.values() else default, lambda v: v or None)

    def _check(self, path: str, label: str) -> Any:
        field = self.ipw.Checkbox(description=label, indent=False, layout={"width": "auto"})
        return self._keep(path, field, bool, lambda v: v)

    def _shelf(self, shelf: str) -> Any:
        column = self._text(f"{shelf}.column", shelf)
        column.disabled = True
        column.layout.width = "140px"
        title = self._text(f"{shelf}.title", "", "axis title")
        title.layout.width = "86px"
        aggregate = self._choice(f"{shelf}.aggregate", "", AGGREGATES)
        form = self._choice(f"{shelf}.format", "", FORMATS)
        clear = self.ipw.Button(description="✕", tooltip=f"nothing on {shelf}", layout={"width": "34px"})
        clear.on_click(lambda _: self.change(lambda d: d.clear(shelf)))
        return self.ipw.HBox([column, aggregate, form, title, clear])

    # filters: values to include, or to leave out

    def _show_filters(self, draft: Draft) -> None:
        widget = draft.widget
        self.filters.children = [
            self._filter(kind, name, said, widget.get("table"))
            for kind in ("filters", "exclude")
            for name, said in widget.get(kind, {}).items()
        ]

    def _filter(self, kind: str, name: str, said: Any, source: str | None) -> Any:
        ipw = self.ipw
        chosen = said if isinstance(said, list) else [said]
        offered = list(chosen)
        with self.workbook.engine.read() as session:
            if source and session.has_table(source):
                found = column_catalog.values(session, table(source), name)
                offered += [v for v in found if v not in offered and isinstance(v, str | int | float | bool)]
        values = ipw.SelectMultiple(
            options=sorted(offered, key=str), value=chosen, rows=min(5, len(offered)), layout={"width": "200px"}
        )
        other = {"filters": "exclude", "exclude": "filters"}[kind]
        word = ipw.Dropdown(options=[("is", "filters"), ("is not", "exclude")], value=kind, layout={"width": "80px"})
        clear = ipw.Button(description="✕", tooltip=f"no filter on {name}", layout={"width": "34px"})

        def turn(draft: Draft) -> None:
            draft.set(f"{kind}.{name}", None)
            draft.set(f"{other}.{name}", said)

        def choose(change: Any) -> None:
            picked = list(change["new"])
            self.change(lambda d: d.set(f"{kind}.{name}", picked[0] if len(picked) == 1 else picked))

        values.observe(choose, "value")
        word.observe(lambda _: self.change(turn), "value")
        clear.on_click(lambda _: self.change(lambda d: d.clear(f"{kind}.{name}")))
        return ipw.HBox([ipw.HTML(f"<b>{name}</b>"), word, values, clear])
