"""What the composer's page shows, as plain values: the board's cards, the selected widget, tables, suggestions."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, get_args

from clv_helpers.charts import MARKS, Widget, picture, sql_of
from clv_helpers.charts.show import upper_first
from clv_helpers.charts.texts import header
from clv_helpers.config import yaml_files
from clv_helpers.config.validation import ParamsError, validate
from clv_helpers.config.workbook import Workbook
from clv_helpers.dashboards import filters, spec
from clv_helpers.dashboards.draft import Draft, problem_of
from clv_helpers.dashboards.proposals import Raw, chosen, fields_of, form_of, shelves, ways_of
from clv_helpers.dashboards.sources import columns_of, values_of
from clv_helpers.dashboards.spec import BoardFilter
from clv_helpers.editors import html
from clv_helpers.engines.session import Session
from clv_helpers.errors import UserError

if TYPE_CHECKING:
    from clv_helpers.dashboards.composer_view import Composer

LOOKS = ("title", "subtitle", "mark", "width", "height", "legend", "labels", "limit", "drill")
SMALL = {"width": "third", "height": 110}  # of a suggestion
MOST_VALUES = 60


@dataclass
class SqlText:
    """A SELECT being written: its file's name and text, the fingerprint of the file that was read, and a few rows.

    `of`: the file of the widget that was selected last, whose text was read then.
    """

    name: str = ""
    text: str = ""
    read_as: str = ""
    of: str = ""
    rows: list[dict[str, str]] = field(default_factory=list)


class Pictures:
    """The cards of widgets, drawn once for each that differs, until other tables are published."""

    def __init__(self, workbook: Workbook):
        self.workbook, self.published, self.kept = workbook, 0, dict[str, dict[str, Any]]()

    def card(self, session: Session, raw: Raw, narrowed: Raw, across: list[str]) -> dict[str, Any]:
        """A widget's card; one that cannot be drawn says why in the place of the chart (`problem`)."""
        published = self.workbook.engine.published.stat().st_mtime_ns
        if published != self.published:
            self.published, self.kept = published, {}
        file = yaml_files.find(self.workbook, "dashboards", raw.get("sql") or "", "sql")
        asked = json.dumps([raw, narrowed, across, yaml_files.fingerprint(file) if file else ""], default=str)
        if asked not in self.kept:
            self.kept[asked] = self._draw(session, raw, narrowed, across)
        return self.kept[asked]

    def _draw(self, session: Session, raw: Raw, narrowed: Raw, across: list[str]) -> dict[str, Any]:
        problem = problem_of(raw)
        try:
            if not problem:
                widget = validate(Widget, raw, "the widget")
                return {**picture(session, self.workbook, widget, narrowed, across).card, "problem": ""}
        except UserError as error:
            problem = str(error)
        except ValueError as error:  # a format that is none, say
            problem = f"It cannot be drawn so: {error}"
        shown = {"title": raw["title"], "subtitle": "", "spec": {}, "html": html.problem(problem), "pick": []}
        return {**shown, "headers": {}, "width": raw.get("width", "half"), "problem": problem}


def state_of(session: Session, composer: Composer) -> dict[str, Any]:
    """All that the page shows, but for the suggestions; the composer's columns are those of the selected widget."""
    draft, workbook = composer.draft, composer.workbook
    narrowed, across = _begins(session, draft)
    cards = [composer.pictures.card(session, raw, narrowed, across) for raw in draft.widgets]
    composer.columns = known = columns_of(session, workbook, draft.widget)
    selected = _selected(session, composer, cards[draft.selected]["problem"]) if draft.widget else None
    return {
        "title": draft.raw.get("title", ""), "proposedTitle": composer.proposed_title,
        "description": draft.raw.get("description", ""),
        "boards": spec.names(workbook), "opened": composer.opened, "name": composer.name,
        "proposedName": composer.proposed_name, "isChanged": composer.is_changed,
        "isOwn": bool(composer.opened) and yaml_files.file_of(workbook, "dashboards", composer.opened).exists(),
        "canUndo": draft.can_undo, "canRedo": draft.can_redo,
        "status": composer.status or _said(composer, cards), "problem": composer.problem,
        "cards": cards, "selected": draft.selected, "widget": selected, "filters": _board_filters(session, draft),
        "columns": [asdict(a) | {"chosen": a.name in chosen(draft.widget)} for a in known if a.kind != "other"],
        "suggestions": None,
        "tables": [
            {"name": s.name, "title": s.title, "about": s.about, "first": s.is_first, "columns": s.columns}
            for s in composer.sources
        ],
        "marks": list(MARKS), "drills": spec.names(workbook),
        "sql": _sql(composer, selected),
    }  # fmt: skip


def _said(composer: Composer, cards: list[dict[str, Any]]) -> str:
    """What was done, and to which widget, for those who do not see it; empty where nothing was."""
    if not composer.done:
        return ""
    if not cards:
        return f"{composer.done} The board is empty."
    draft = composer.draft
    card, raw = cards[draft.selected], draft.widget
    place = f"Widget {draft.selected + 1} of {len(cards)}, {raw.get('width', 'half')} width"
    return f"{composer.done} {place}: {card['title']}. {card['problem'] or upper_first(form_of(raw)) + '.'}"


def label_of(workbook: Workbook, column: str) -> str:
    """A column as people read it."""
    return header(column, workbook.words)


def _begins(session: Session, draft: Draft) -> tuple[Raw, list[str]]:
    """What the board's filters narrow to when it opens, and the columns of all of them."""
    narrowed: Raw = {}
    across = []
    for spec_, offered in _offers(session, draft):
        across.append(spec_.column)
        first = offered[filters.first_of(spec_, offered)]
        narrowed |= {} if first is None else {spec_.column: first}
    return narrowed, across


def _offers(session: Session, draft: Draft) -> list[tuple[BoardFilter, filters.Choices]]:
    found = []
    for raw in draft.raw.get("filters", []):
        try:
            offered = validate(BoardFilter, raw, "the filter")
            found.append((offered, filters.choices(session, offered)))
        except ParamsError:
            continue  # said when the board is saved
    return found


def _board_filters(session: Session, draft: Draft) -> list[Raw]:
    """The choices at the top of the board: label, column, and what it can begin with."""
    known = {offer.column: list(choices) for offer, choices in _offers(session, draft)}
    return [
        {"column": raw["column"], "label": raw["label"], "default": str(raw.get("default") or ""),
         "values": known.get(raw["column"], [])[:MOST_VALUES]}
        for raw in draft.raw.get("filters", [])
    ]  # fmt: skip


def _selected(session: Session, composer: Composer, problem: str) -> dict[str, Any]:
    """The selected widget's shelves, looks and filters."""
    draft, workbook = composer.draft, composer.workbook
    raw = draft.widget
    on, names = fields_of(raw), [attribute.name for attribute in composer.columns]
    places = [shelf for shelf in on if shelf not in shelves(raw["mark"])] + list(shelves(raw["mark"]))
    groups = [f["column"] for f in on.values() if not f.get("aggregate") and f["column"] in names]

    def values(column: str) -> list[Any]:
        return values_of(session, workbook, raw, column) if column in names else []

    kinds = [(kind, name, picked) for kind in ("filters", "exclude") for name, picked in raw.get(kind, {}).items()]
    return {
        "looks": {key: raw.get(key, Widget.model_fields[key].default) for key in LOOKS},
        "shelves": [{"shelf": shelf, **on.get(shelf, {"column": ""})} for shelf in dict.fromkeys(places)],
        "filters": [
            {"kind": kind, "column": name, "chosen": picked if isinstance(picked, list) else [picked],
             "values": values(name)}
            for kind, name, picked in kinds
        ],
        "highlight": next(({"column": k, "value": v} for k, v in raw.get("highlight", {}).items()), None),
        "groups": [{"column": name, "values": values(name)} for name in dict.fromkeys(groups)],
        "source": raw.get("table") or f"{raw.get('sql')}.sql",
        "about": next((s.about for s in composer.sources if s.name == raw.get("table")), ""),
        "problem": problem,
        "query": _query(session, workbook, raw),
        "widths": get_args(Widget.model_fields["width"].annotation),
        "legends": get_args(Widget.model_fields["legend"].annotation),
    }  # fmt: skip


def _query(session: Session, workbook: Workbook, raw: Raw) -> str:
    """The SQL behind the selected widget; empty until it can be drawn."""
    try:
        return "" if problem_of(raw) else sql_of(session, workbook, validate(Widget, raw, "the widget"))
    except UserError:
        return ""


def suggested(session: Session, composer: Composer) -> list[dict[str, Any]]:
    """The suggested ways to draw the chosen columns, as small cards; those that may not be shown are left out."""
    raw, known = composer.draft.widget, composer.columns
    rest: Raw = {key: raw[key] for key in ("table", "sql", "filters", "exclude") if key in raw}
    cards = []
    for place, way in enumerate(ways_of(raw, known)):
        text = {"title": "New widget"} | composer.propose(rest | way)
        card = composer.pictures.card(session, {**rest, **way, **text, **SMALL}, {}, [])
        if not card["problem"]:
            is_now = form_of(way) == form_of(raw) and not problem_of(raw)
            cards.append({"place": place, "form": form_of(way), "isNow": is_now, **card})
    return cards


def _sql(composer: Composer, selected: dict[str, Any] | None) -> dict[str, Any]:
    """The SELECT being written, else that of the selected widget's file."""
    name = composer.draft.widget.get("sql") or ""
    if name and composer.sql.of != name:
        file = yaml_files.find(composer.workbook, "dashboards", name, "sql")
        own = yaml_files.file_of(composer.workbook, "dashboards", name, "sql")
        composer.sql = SqlText(name, file.read_text("utf-8") if file else "", yaml_files.fingerprint(own), name)
    sql = composer.sql
    return {"name": sql.name, "text": sql.text, "rows": sql.rows, "query": selected["query"] if selected else ""}
