"""What the builder's page shows, as plain values: the rule's rows with their counts, fields, files, what is folded."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from clv_helpers.audiences import audience_files, estimate, panels, views
from clv_helpers.audiences.checks import hints
from clv_helpers.audiences.composer_fields import composer_fields
from clv_helpers.audiences.draft import Draft, Path
from clv_helpers.audiences.estimate import Estimate
from clv_helpers.audiences.formats import CannotExpress, platform_notes
from clv_helpers.audiences.rows import Rows, human
from clv_helpers.audiences.rule import Audience, parse_part
from clv_helpers.audiences.sentence import to_sentence
from clv_helpers.charts.rounding import people_text
from clv_helpers.charts.show import upper_first
from clv_helpers.charts.texts import header
from clv_helpers.config import yaml_files
from clv_helpers.config.validation import ParamsError, validate
from clv_helpers.editors import html
from clv_helpers.errors import UserError

if TYPE_CHECKING:
    from clv_helpers.audiences.segment_builder import Builder

EMPTY = "Add a first condition, or begin with one of the templates."
SWITCHES = {"event": ("has", "has not"), "sequence": ("has", "has not"), "audience": ("is", "is not")}
OTHERWISE = ("whose", "not those whose")
OF_A_GROUP = ("those of", "not those of")


@dataclass
class Counted:
    """The draft as far as it is complete: its audience, its estimate, and what is wrong beyond its rows.

    `parts`: the rows that can be counted, each with what it asks, in the order of the estimate's parts.
    """

    parts: list[tuple[dict[str, Any], Any]] = field(default_factory=list)
    audience: Audience | None = None
    estimate: Estimate | None = None
    panel: str = ""
    problem: str = ""


def state_of(builder: Builder) -> dict[str, Any]:
    """All that the page shows; the builder's `counted` is made anew."""
    draft, workbook = builder.draft, builder.workbook
    builder.counted = counted = Counted()
    rule, usable = _node(draft, builder.rows, (), counted)
    _count(builder, usable)
    titles = {name: title for name, title in builder.titles.items() if name != builder.opened}
    problem = builder.problem
    if counted.problem and not problem["text"]:
        problem = {"at": "then", "text": counted.problem}
    return {
        "title": draft.raw.get("title", ""), "description": draft.raw.get("description", ""),
        "evaluation": draft.raw.get("evaluation", "batch"), "timeZone": draft.raw.get("time_zone", "UTC"),
        "files": [{"name": name, "title": title} for name, title in builder.titles.items()],
        "opened": builder.opened, "name": builder.name, "proposedName": builder.proposed_name,
        "isChanged": builder.is_changed, "canUndo": draft.can_undo, "canRedo": draft.can_redo,
        "status": builder.status or _said(builder), "problem": problem,
        "templates": builder.templates, "blocks": builder.rows.blocks(), "customers": workbook.words.customers,
        "rule": None if draft.in_place_of_rule else rule, "selected": list(draft.selected),
        "then": composer_fields(draft.raw, builder.rows.catalog, workbook.words, titles),
        "panel": counted.panel or (html.problem(counted.problem) if counted.problem else f"<p>{EMPTY}</p>"),
        "sentence": _sentence(builder), "details": builder.details, "detail": builder.shown,
        "detailHtml": _detail(builder),
    }  # fmt: skip


# the rows


def _node(draft: Draft, rows: Rows, path: Path, counted: Counted) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """A row and those below it as shown; and what it asks, without what is not complete (None: nothing)."""
    row = draft.at(path)
    shown: dict[str, Any] = {"path": list(path), "isOut": row.excluded, "kind": row.container, "count": ""}
    if path:
        shown["joined"] = "and" if draft.at(path[:-1]).container == "all" else "or"
    part: dict[str, Any] | None = row.part
    if row.container:
        below = [_node(draft, rows, (*path, index), counted) for index in range(len(row.part[row.container]))]
        shown |= {"rows": [each for each, _ in below], "switch": OF_A_GROUP, "problem": ""}
        complete = [each for _, each in below if each is not None]
        part = {row.container: complete} if complete else None
    else:
        kind, problem = next(iter(row.part), ""), rows.lacking(row.part)
        shown |= {"form": rows.form(row.part), "switch": SWITCHES.get(kind, OTHERWISE), "type": kind}
        shown |= {"problem": problem, "yaml": yaml_files.dump(row.part)}
        part = None if problem else row.part
    usable = {"not": part} if part is not None and row.excluded else part
    if usable is not None and path:
        counted.parts.append((shown, usable))
    return shown, usable


def _said(builder: Builder) -> str:
    """What was done, and to which row, for those who do not see it; empty where nothing was."""
    draft = builder.draft
    if not builder.done or not draft.selected:
        return builder.done
    *above, index = draft.selected
    row, group = draft.row(), draft.at(tuple(above))
    place = f"{'Group' if row.container else 'Condition'} {index + 1} of {len(group.part[group.container])}"
    name = "" if row.container else f": {builder.rows.name(row.part, row.excluded)}"
    return f"{builder.done} {place}{' in its group' * bool(above)}{name}."


# the count


def _count(builder: Builder, rule: dict[str, Any] | None) -> None:
    """Count the draft and its rows in one query; where what follows on the rule is wrong, the rule alone."""
    counted, draft = builder.counted, builder.draft
    raw = {key: value for key, value in draft.raw.items() if key != "rule"} | {"title": draft.raw.get("title") or "New"}
    if not draft.in_place_of_rule:
        if rule is None:
            return
        raw["rule"] = rule
    alone = {"title": raw["title"], "rule": raw.get("rule")}
    for tried in (raw, alone) if alone["rule"] and raw != alone else (raw,):
        try:
            audience = validate(Audience, tried, "the draft")
            counted.estimate, counted.panel = _estimate(builder, audience)
            counted.audience = audience
            break
        except ParamsError as error:
            counted.problem = human(error.problems[0])
        except UserError as error:
            counted.problem = str(error)


def _estimate(builder: Builder, audience: Audience) -> tuple[Estimate, str]:
    workbook, params = builder.workbook, builder.workbook.params
    parts = [] if builder.draft.in_place_of_rule else builder.counted.parts
    asked = [parse_part(part) for _, part in parts]
    with views.reading(workbook, builder.file, audience) as (session, context, note):
        started = time.perf_counter()
        found = replace(estimate.estimate(session, audience, context, asked), note=note)
        seconds = time.perf_counter() - started
    for (shown, _), count in zip(parts, found.parts, strict=True):
        shown["count"] = people_text(count, params.min_cell)
    return found, panels.estimate_panel(found, seconds, (params.value.unit, params.spending.unit), workbook)


# what is folded


def _sentence(builder: Builder) -> str:
    audience = builder.counted.audience
    return to_sentence(audience, builder.workbook.words, _quoted(builder)) if audience else ""


def _quoted(builder: Builder) -> dict[str, str]:
    return {name: f"“{title}”" for name, title in builder.titles.items()}


def _detail(builder: Builder) -> str:
    """The part that is unfolded, and it alone, as HTML."""
    counted, workbook = builder.counted, builder.workbook
    if not builder.shown:
        return ""
    if counted.audience is None or counted.estimate is None:
        return "<p>Nothing to show yet: no condition is complete.</p>"
    try:
        match builder.shown:
            case "Funnel":
                return panels.funnel_panel(counted.estimate, workbook, _quoted(builder))
            case "SQL" | "PQL":
                return html.code(views.in_language(workbook, counted.audience, builder.shown.lower(), builder.file))
            case "YAML":
                return html.code(audience_files.to_yaml(counted.audience))
            case "Notes":
                notes = [upper_first(hint.partition(": ")[2]) for hint in hints(counted.audience)]
                return html.sentences([*notes, *platform_notes(counted.audience)], "Nothing to note.")
            case "Changes":
                changes = audience_files.diff(builder.saved, counted.audience) if builder.saved else ""
                return html.code(changes or ("As in the file." if builder.saved else "Not saved yet."))
        return _read(builder, counted.audience, counted.estimate)
    except CannotExpress as error:
        return html.problem(str(error))


def _read(builder: Builder, audience: Audience, counted: Estimate) -> str:
    """The parts that ask the tables once more: the overlap with other audiences, ten customers."""
    workbook = builder.workbook
    with views.reading(workbook, builder.file, audience) as (session, context, _):
        if builder.shown == "Overlap":
            found = estimate.overlaps(session, audience, context)
            named = {builder.titles.get(name, name): count for name, count in found.items()}
            return panels.overlap_panel(named, counted, workbook)
        rows = estimate.sample_customers(session, audience, context)
    return html.rows_table(
        rows,
        nothing="Nobody meets this rule.",
        heading=lambda name: header(name, workbook.words),
        number=",.0f",
        css="clv-customers",
    )
