"""The composer's fields for what a widget says and looks like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clv_helpers.config.validation import parse_value
from clv_helpers.config.workbook import Workbook
from clv_helpers.dashboards.data_panel import Change
from clv_helpers.dashboards.draft import SHELVES, WIDTHS, Draft
from clv_helpers.dashboards.spec import names
from clv_helpers.editors import columns
from clv_helpers.editors.editor import LABELLED
from clv_helpers.engines.dialect import table

AGGREGATES = {"as it is": None, "sum": "sum", "average": "avg", "least": "min", "most": "max"}
FORMATS = {
    "by itself": None, "1,234": ",.0f", "1.2k": ".2~s", "12.3M": ".3~s", "12 %": ".0%", "12.3 %": ".1%", "1.23": ".2f",
}  # fmt: skip
Convert = Callable[[Any], Any]  # from a value of the draft to one of a field, and back


def _as_list(text: str) -> list[str]:
    return [part for part in text.split(", ") if part]


class Properties:
    """Title, axes, legend, size, order, filters and drill-through; `change` takes what is to be done to the draft."""

    def __init__(self, workbook: Workbook, change: Change):
        import ipywidgets as ipw

        self.ipw, self.workbook, self.change = ipw, workbook, change
        self.fields: dict[str, tuple[Any, Convert]] = {}
        self.filters = ipw.VBox()
        shelves = ipw.VBox([self._shelf(shelf) for shelf in SHELVES])
        targets = {"nowhere": None, **{name: name for name in names(workbook)}}
        texts = [self._text("title", "Title", "auto"), self._text("subtitle", "Subtitle", "auto")]
        looks = [
            self._choice("width", "Width", {width: width for width in WIDTHS}, "half"),
            self._number("height", "Height"),
            self._choice("legend", "Legend", {place: place for place in ("top", "right", "bottom", "none")}),
            self._keep("labels", self._check("Values on the marks"), bool),
            self._keep("sort", self._field("Sort rows by", "210px", "-value"), lambda v: ", ".join(v or []), _as_list),
            self._number("limit", "At most rows"),
            self._choice("drill", "A click leads to", targets),
        ]
        parts = [shelves, *texts, ipw.HBox(looks, layout={"flex_flow": "row wrap"}), self.filters]
        self.widget = ipw.VBox(parts)

    def show(self, draft: Draft) -> None:
        """The selected widget's properties in the fields."""
        for path, (field, to_field) in self.fields.items():
            field.value = to_field(draft.get(path))
        widget = draft.widget
        self.filters.children = [
            self._filter(kind, name, chosen if isinstance(chosen, list) else [chosen], widget.get("table"))
            for kind in ("filters", "exclude")
            for name, chosen in widget.get(kind, {}).items()
        ]

    # kinds of fields

    def _keep(
        self,
        path: str,
        field: Any,
        to_field: Callable[[Any], Any],
        to_draft: Callable[[Any], Any] = lambda value: value,
    ) -> Any:
        self.fields[path] = (field, to_field)
        field.observe(lambda change: self.change(lambda draft: draft.set(path, to_draft(change["new"]))), "value")
        return field

    def _field(self, label: str, width: str, placeholder: str = "") -> Any:
        return self.ipw.Text(
            description=label, placeholder=placeholder, continuous_update=False, style=LABELLED, layout={"width": width}
        )

    def _check(self, label: str) -> Any:
        return self.ipw.Checkbox(description=label, indent=False, layout={"width": "auto"})

    def _text(self, path: str, label: str, width: str, placeholder: str = "") -> Any:
        return self._keep(path, self._field(label, width, placeholder), lambda value: value or "")

    def _number(self, path: str, label: str) -> Any:
        return self._keep(
            path,
            self._field(label, "150px", "by itself"),
            lambda value: "" if value is None else str(value),
            lambda text: parse_value(text) if text.strip() else None,
        )

    def _choice(self, path: str, label: str, options: dict[str, Any], default: str | None = None) -> Any:
        values = {name: "" if value is None else value for name, value in options.items()}  # None would select nothing
        field = self.ipw.Dropdown(
            description=label, options=list(values.items()), style=LABELLED, layout={"width": "auto"}
        )
        begins = default or next(iter(values.values()))
        return self._keep(
            path, field, lambda value: value if value in values.values() else begins, lambda value: value or None
        )

    def _shelf(self, shelf: str) -> Any:
        column = self._text(f"{shelf}.column", shelf, "140px")
        column.disabled = True
        title = self._text(f"{shelf}.title", "", "86px", "axis title")
        aggregate = self._choice(f"{shelf}.aggregate", "", AGGREGATES)
        form = self._choice(f"{shelf}.format", "", FORMATS)
        return self.ipw.HBox([column, aggregate, form, title, self._clear(shelf, f"nothing on {shelf}")])

    def _clear(self, path: str, tooltip: str) -> Any:
        button = self.ipw.Button(description="✕", tooltip=tooltip, layout={"width": "34px"})
        button.on_click(lambda _: self.change(lambda draft: draft.clear(path)))
        return button

    # filters: values to include, or to leave out

    def _filter(self, kind: str, name: str, chosen: list[Any], source: str | None) -> Any:
        ipw = self.ipw
        offered = list(chosen)
        with self.workbook.engine.read() as session:
            if source and session.has_table(source):
                known = columns.values(session, table(source), name)
                offered += [v for v in known if v not in offered and isinstance(v, str | int | float | bool)]
        values = ipw.SelectMultiple(
            options=sorted(offered, key=str), value=chosen, rows=min(5, len(offered)), layout={"width": "200px"}
        )
        other = {"filters": "exclude", "exclude": "filters"}[kind]
        word = ipw.Dropdown(options=[("is", "filters"), ("is not", "exclude")], value=kind, layout={"width": "80px"})

        def one_or_several(picked: list[Any]) -> Any:
            return picked[0] if len(picked) == 1 else picked

        def turn(draft: Draft) -> None:
            draft.set(f"{kind}.{name}", None)
            draft.set(f"{other}.{name}", one_or_several(chosen))

        def choose(change: dict[str, Any]) -> None:
            self.change(lambda draft: draft.set(f"{kind}.{name}", one_or_several(list(change["new"]))))

        values.observe(choose, "value")
        word.observe(lambda _: self.change(turn), "value")
        return ipw.HBox(
            [ipw.HTML(f"<b>{name}</b>"), word, values, self._clear(f"{kind}.{name}", f"no filter on {name}")]
        )
