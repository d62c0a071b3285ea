"""The composer's fields for what a widget says and looks like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

from clv_helpers.charts import AXES, Widget
from clv_helpers.config.validation import parse_value
from clv_helpers.dashboards.draft import Draft
from clv_helpers.dashboards.spec import names
from clv_helpers.editors import Editor, columns
from clv_helpers.editors.editor import LABELLED, WRAPPED
from clv_helpers.engines.dialect import table

AGGREGATES = {"as it is": None, "sum": "sum", "average": "avg", "least": "min", "most": "max"}
FORMATS = {
    "by itself": None, "1,234": ",.0f", "1.2k": ".2~s", "12.3M": ".3~s", "12 %": ".0%", "12.3 %": ".1%", "1.23": ".2f",
}  # fmt: skip


class Properties:
    """Title, axes, legend, size, order, filters and drill-through of the selected widget."""

    def __init__(self, composer: Editor[Draft]):
        self.composer, self.ipw, self.workbook = composer, composer.ipw, composer.workbook
        self.fields: dict[
            str, tuple[Any, Callable[[Any], Any]]
        ] = {}  # by path: the field, and what it shows of a value
        self.filters = self.ipw.VBox()
        targets = {"nowhere": None, **{name: name for name in names(self.workbook)}}
        labels = self.ipw.Checkbox(description="Values on the marks", indent=False, layout={"width": "auto"})
        looks = [
            self._choice("width", "Width", _declared("width")),
            self._text("height", "Height", "150px", "by itself", _number),
            self._choice("legend", "Legend", _declared("legend")),
            self._keep("labels", labels, bool),
            self._text("sort", "Sort rows by", "210px", "-value", lambda text: [p for p in text.split(", ") if p]),
            self._text("limit", "At most rows", "150px", "by itself", _number),
            self._choice("drill", "A click leads to", targets),
        ]
        texts = [self._text("title", "Title", "auto"), self._text("subtitle", "Subtitle", "auto")]
        parts = [*map(self._shelf, AXES), *texts, self.ipw.HBox(looks, layout=WRAPPED), self.filters]
        self.widget = self.ipw.VBox(parts)

    def show(self, draft: Draft) -> None:
        """The selected widget's properties in the fields."""
        for path, (field, shown) in self.fields.items():
            field.value = shown(draft.get(path))
        self.filters.children = [
            self._filter(kind, name, chosen if isinstance(chosen, list) else [chosen], draft.widget.get("table"))
            for kind in ("filters", "exclude")
            for name, chosen in draft.widget.get(kind, {}).items()
        ]

    # kinds of fields: `shown` is from a value of the draft to what the field shows, `read` is back

    def _keep(
        self, path: str, field: Any, shown: Callable[[Any], Any], read: Callable[[Any], Any] = lambda value: value
    ) -> Any:
        self.fields[path] = (field, shown)
        field.observe(lambda change: self._set(path, read(change["new"])), "value")
        return field

    def _set(self, path: str, value: Any) -> None:
        self.composer.change(lambda draft: draft.set(path, value))

    def _text(
        self, path: str, label: str, width: str, placeholder: str = "", read: Callable[[str], Any] = lambda text: text
    ) -> Any:
        return self._keep(path, self.composer.text(label, width=width, placeholder=placeholder), _in_text, read)

    def _choice(self, path: str, label: str, options: dict[str, Any]) -> Any:
        values = {name: "" if value is None else value for name, value in options.items()}  # None would select nothing
        field = self.ipw.Dropdown(
            description=label, options=list(values.items()), style=LABELLED, layout={"width": "auto"}
        )
        default = Widget.model_fields[path].default if path in Widget.model_fields else None
        return self._keep(path, field, lambda value: value if value in values.values() else default or "")

    def _shelf(self, shelf: str) -> Any:
        column = self._text(f"{shelf}.column", shelf, "140px")
        column.disabled = True
        aggregate = self._choice(f"{shelf}.aggregate", "", AGGREGATES)
        form = self._choice(f"{shelf}.format", "", FORMATS)
        title = self._text(f"{shelf}.title", "", "86px", "axis title")
        return self.ipw.HBox([column, aggregate, form, title, self._clear(shelf, f"nothing on {shelf}")])

    def _clear(self, path: str, tooltip: str) -> Any:
        button = self.composer.button("✕", lambda: self._set(path, None))
        button.tooltip, button.layout.width = tooltip, "34px"
        return button

    # filters: values to include, or to leave out

    def _filter(self, kind: str, name: str, chosen: list[Any], source: str | None) -> Any:
        path, other = f"{kind}.{name}", {"filters": "exclude", "exclude": "filters"}[kind]
        offered = list(chosen)
        with self.workbook.engine.read() as session:
            if source and session.has_table(source):
                known = columns.values(session, table(source), name)
                offered += [v for v in known if v not in offered and isinstance(v, str | int | float | bool)]
        values = self.ipw.SelectMultiple(
            options=sorted(offered, key=str), value=chosen, rows=min(5, len(offered)), layout={"width": "200px"}
        )
        words = [("is", "filters"), ("is not", "exclude")]
        word = self.ipw.Dropdown(options=words, value=kind, layout={"width": "80px"})

        def turn(draft: Draft) -> None:
            draft.set(path, None)
            draft.set(f"{other}.{name}", _one_or_several(chosen))

        values.observe(lambda change: self._set(path, _one_or_several(change["new"])), "value")
        word.observe(lambda _: self.composer.change(turn), "value")
        clear = self._clear(path, f"no filter on {name}")
        return self.ipw.HBox([self.ipw.HTML(f"<b>{name}</b>"), word, values, clear])


def _declared(key: str) -> dict[str, str]:
    """The values that a key of a widget may have."""
    return {value: value for value in get_args(Widget.model_fields[key].annotation)}


def _in_text(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else "" if value is None else str(value)


def _number(text: str) -> Any:
    return parse_value(text) if text.strip() else None


def _one_or_several(picked: Any) -> Any:
    return picked[0] if len(picked) == 1 else list(picked)
