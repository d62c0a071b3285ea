"""The builder's fields for what follows on a rule, or stands in its place: each a text that reads as its YAML does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clv_helpers.audiences.catalog import Catalog
from clv_helpers.audiences.checks import RANKED
from clv_helpers.audiences.draft import Draft
from clv_helpers.audiences.rule import SOURCES

LABELS = {"rule": "the rule above", "sql": "SQL", "list": "a list", "priority": "priority of audiences"}
PLACEHOLDERS = {
    "rule": "", "sql": "SELECT customer_id FROM … or the path of an .sql file", "list": "vip.csv, with ids or e-mails",
    "priority": "audiences by comma, the first goes first",
}  # fmt: skip
UNRANKED = "(no rank)"


class ComposerFields:
    """The fields; `change` is called with what is to be done to the draft."""

    def __init__(self, catalog: Catalog, change: Callable[[Callable[[Draft], None]], None]):
        import ipywidgets as ipw

        self._change = change
        ranked = [name for name, attribute in catalog.profile.items() if attribute.kind in RANKED]

        def labelled(widget: Any, label: str, width: str, **more: Any) -> Any:
            style = {"description_width": "initial"}
            return widget(description=label, layout={"width": width}, style=style, **more)

        self.source = labelled(ipw.Dropdown, "Who", "230px", options=[(text, key) for key, text in LABELS.items()])
        self.given = labelled(ipw.Textarea, "", "100%", rows=2, continuous_update=False)
        self.exclude = labelled(ipw.Text, "Exclude", "100%", placeholder="audiences by comma", continuous_update=False)
        self.by = labelled(ipw.Dropdown, "Rank by", "260px", options=[UNRANKED, *ranked])
        self.order = labelled(ipw.Dropdown, "", "120px", options=["descending", "ascending"])
        self.limit = labelled(
            ipw.Text, "Limit", "150px", value="1000", placeholder="5000 or 10%", continuous_update=False
        )
        self.split = labelled(
            ipw.Text, "Split", "100%", placeholder="offer_a: 40%, offer_b: 40%, rest: 20%", continuous_update=False
        )
        for field in (self.source, self.given):
            field.observe(lambda _: self._set_source(), names="value")
        for field in (self.by, self.order, self.limit):
            field.observe(lambda _: self._set_rank(), names="value")
        self.exclude.observe(lambda _: self._set("exclude", listed(self.exclude.value) or None), names="value")
        self.split.observe(lambda _: self._set("split", _into(self.split.value)), names="value")
        self.ranking = ipw.HBox([self.by, self.order, self.limit], layout={"flex_flow": "row wrap"})
        self.parts = [self.source, self.given, self.exclude, self.ranking, self.split]

    def show(self, raw: dict[str, Any]) -> None:
        """Set the fields to what a draft holds."""
        source = next((key for key in SOURCES if key != "rule" and key in raw), "rule")
        if source != "rule" or self.source.value == "rule":  # else it is chosen, and nothing is written beside it yet
            self.source.value = source
            given = raw.get(source, "") if source != "rule" else ""
            self.given.value = ", ".join(given) if isinstance(given, list) else given
        self.exclude.value = ", ".join(raw.get("exclude", []))
        if rank := raw.get("rank"):
            by = rank["by"]
            self.by.options = self.by.options if by in self.by.options else [*self.by.options, by]
            self.by.value, self.order.value = by, rank.get("order", "descending")
            self.limit.value = str(rank.get("limit", ""))
        else:
            self.by.value = UNRANKED
        into = raw.get("split", {}).get("into", {})
        self.split.value = ", ".join(f"{name}: {share}" for name, share in into.items())
        self._show_fields()

    def _show_fields(self) -> None:
        self.given.placeholder = PLACEHOLDERS[self.source.value]
        self.given.layout.display = "none" if self.source.value == "rule" else ""
        for field in (self.order, self.limit):
            field.layout.display = "none" if self.by.value == UNRANKED else ""

    def _set(self, key: str, value: Any) -> None:
        self._change(lambda draft: draft.compose(key, value))

    def _set_source(self) -> None:
        self._show_fields()
        chosen, text = self.source.value, self.given.value.strip()

        def move(draft: Draft) -> None:
            for key in SOURCES:
                if key != "rule" and key != chosen:
                    draft.compose(key, None)
            if chosen != "rule":
                draft.compose(chosen, (listed(text) if chosen == "priority" else text) or None)

        self._change(move)

    def _set_rank(self) -> None:
        self._show_fields()
        is_ranked = self.by.value != UNRANKED
        rank = {"by": self.by.value, "order": self.order.value, "limit": _number(self.limit.value.strip())}
        self._set("rank", rank if is_ranked else None)


def _number(text: str) -> int | str:
    """A limit: a number, or else a share as it is typed."""
    return int(text) if text.isascii() and text.isdigit() else text


def listed(text: str) -> list[str]:
    """Names that are typed by comma."""
    return [name.strip() for name in text.split(",") if name.strip()]


def _into(text: str) -> dict[str, Any] | None:
    """Branches that are typed as `offer_a: 40%, rest: 60%`; a share that is missing is left for the check to name."""
    if not text.strip():
        return None
    pairs = (part.partition(":") for part in text.split(",") if part.strip())
    return {"into": {name.strip(): share.strip() for name, _, share in pairs}}
