"""The builder's fields for what follows on a rule, or stands in its place: each a text that reads as its YAML does."""

from __future__ import annotations

from typing import Any

from clv_helpers.audiences.catalog import Catalog
from clv_helpers.audiences.checks import RANKED
from clv_helpers.audiences.condition_fields import Field, field
from clv_helpers.audiences.draft import Draft
from clv_helpers.audiences.rule import SOURCES
from clv_helpers.audiences.sentence import column_in_words
from clv_helpers.config.settings import Words

LABELS = {"rule": "the rule above", "sql": "SQL", "list": "a list", "priority": "priority of audiences"}
PLACEHOLDERS = {"sql": "SELECT customer_id FROM … or the path of an .sql file", "list": "vip.csv, with ids or e-mails"}
NOTHING: dict[str, Any] = {"sql": "", "list": "", "priority": []}
ORDERS = [["descending", "highest first"], ["ascending", "lowest first"]]


def source_of(raw: dict[str, Any]) -> str:
    """What says who is in it: the rule, or what stands in its place."""
    return next((key for key in SOURCES if key != "rule" and key in raw), "rule")


def composer_fields(raw: dict[str, Any], catalog: Catalog, words: Words, titles: dict[str, str]) -> list[Field]:
    """The fields of a draft; `titles`: of the other audiences, by name."""
    audiences, source = [[name, title] for name, title in titles.items()], source_of(raw)
    found = [field("source", "choice", "Who", source, options=[[key, text] for key, text in LABELS.items()])]
    if source == "priority":
        found.append(field("given", "values", "Audiences, the first goes first", raw[source], options=audiences))
    elif source != "rule":
        found.append(field("given", "area", LABELS[source], raw[source], about=PLACEHOLDERS[source]))
    found.append(field("exclude", "values", "Exclude audiences", raw.get("exclude", []), options=audiences))
    rank = raw.get("rank", {})
    ranked = [name for name, attribute in catalog.profile.items() if attribute.kind in RANKED]
    by = [["", "nothing: all stay"], *([name, column_in_words(name, words)] for name in ranked)]
    found.append(field("rank.by", "choice", "Only the first by", rank.get("by", ""), options=by))
    if rank:
        found.append(field("rank.order", "choice", "in the order", rank.get("order", "descending"), options=ORDERS))
        limit = str(rank.get("limit", ""))
        found.append(field("rank.limit", "text", "how many stay", limit, about="5000 or 10%"))
    into = ", ".join(f"{name}: {share}" for name, share in raw.get("split", {}).get("into", {}).items())
    return [*found, field("split", "text", "Split into branches", into, about="offer_a: 40%, offer_b: 40%, rest: 20%")]


def compose(draft: Draft, key: str, value: Any) -> None:
    """Change the draft as one of the fields says."""
    raw = draft.raw
    match key.partition("."):
        case ("source", _, _):
            others = {name: None for name in SOURCES if name != "rule"}
            draft.compose(others | ({value: NOTHING[value]} if value != "rule" else {}))
        case ("given", _, _):
            draft.compose({source_of(raw): value.strip() if isinstance(value, str) else value})
        case ("exclude", _, _):
            draft.compose({key: value or None})
        case ("rank", _, "by"):
            draft.compose({"rank": {"limit": 1000, **raw.get("rank", {}), "by": value} if value else None})
        case ("rank", _, part):
            draft.compose({"rank": raw.get("rank", {}) | {part: _number(value.strip())}})
        case ("split", _, _):
            draft.compose({key: _into(value)})


def _number(text: str) -> int | str:
    """A limit: a number, or else a share as it is typed."""
    return int(text) if text.isascii() and text.isdigit() else text


def _into(text: str) -> dict[str, Any] | None:
    """Branches that are typed as `offer_a: 40%, rest: 60%`; a share that is missing is left for the check to name."""
    if not text.strip():
        return None
    pairs = (part.partition(":") for part in text.split(",") if part.strip())
    return {"into": {name.strip(): share.strip() for name, _, share in pairs}}
