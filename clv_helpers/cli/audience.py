"""`clv audience`: list, count, evaluate and show audiences."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from clv_helpers.cli.options import Json, Opened, command, judged, notice, say, shortened
from clv_helpers.progress import on_terminal

if TYPE_CHECKING:
    from clv_helpers.config.workbook import Workbook

Action = Literal["list", "count", "evaluate", "show"]
SIZES = "SELECT audience, customers FROM audiences.fact_audience"
TITLE, LEAST = 30, 40  # signs of a title, and of a rule in a narrow window
Form = Literal["text", "sql", "spark", "pql", "pql-json", "definition", "yaml"]


@command(
    "params/airline.yml list",
    "params/airline.yml count best_now_quiet",
    "params/airline.yml show best_now_quiet --as sql",
)
def audience(
    workbook: Opened,
    action: Annotated[Action, typer.Argument(help="list, count, evaluate or show")],
    name: Annotated[str, typer.Argument(help="the audience; evaluate takes all where none is named")] = "",
    form: Annotated[Form, typer.Option("--as", help="how to show it")] = "text",
    as_json: Json = False,
) -> None:
    """List the audiences, count one with its funnel, evaluate them, or show a rule as sql, pql or text."""
    if action in ("count", "show") and not name:
        from clv_helpers.config.validation import ParamsError, Problem

        problem = Problem("the audience's name", "missing", f"clv audience PARAMS {action} NAME")
        raise ParamsError("clv audience", [problem])
    actions = {"list": _list, "count": _count, "evaluate": _evaluate, "show": _show}
    result, text = actions[action](workbook, name, form)
    say(as_json, result, [text] if text else [])


def _list(workbook: Workbook, _name: str, _form: str) -> tuple[Any, str]:
    from clv_helpers import audiences
    from clv_helpers.audiences.sentence import to_sentence

    found, words = audiences.load_all(workbook), workbook.words
    rows = [
        {"audience": key, "title": each.title, "evaluation": each.evaluation} | {"sentence": to_sentence(each, words)}
        for key, each in sorted(found.items())
    ]
    counts = _counts(workbook)
    told = [{**row, "customers": counts.get(row["audience"])} for row in rows]
    evaluated = sum(row["customers"] is not None for row in told)
    head = f"{len(told)} audience{'s' * (len(told) != 1)}, {evaluated} of them evaluated; {words.customers} in each:"
    return {"audiences": told}, "\n".join([head, *map(_row, told)])


def _row(told: dict[str, Any]) -> str:
    count = "–" if told["customers"] is None else f"{told['customers']:,}"
    title, width = shortened(told["title"], TITLE), shutil.get_terminal_size((120, 24)).columns
    head = f"{told['audience']:<24} {count:>10}  {title:<{TITLE}}  "
    return head + shortened(told["sentence"], max(width - len(head), LEAST))


def _counts(workbook: Workbook) -> dict[str, int]:
    """How many customers were in each audience when it was evaluated last; empty where none was."""
    from clv_helpers.engines.engine import NothingPublished

    try:
        with workbook.engine.read() as session:
            rows = session.rows(SIZES) if session.has_table("audiences.fact_audience") else []
    except NothingPublished:
        return {}
    return {str(row["audience"]): int(row["customers"]) for row in rows}


def _count(workbook: Workbook, name: str, _form: str) -> tuple[Any, str]:
    from clv_helpers import audiences
    from clv_helpers.audiences.sentence import part_in_words

    found = audiences.count(workbook, name)
    doubts = audiences.file_warnings(workbook, name)
    funnel = [
        {"condition": part_in_words(s.part, workbook.words), "left": s.left, "removed": s.removed} for s in found.funnel
    ]
    head = f"{found.count:,} of {found.customers:,} {workbook.words.customers} ({found.share:.1%})"
    for doubt in doubts:
        notice(doubt.sentence)
    lines = [f"  {step['left']:>12,} left, {step['removed']:>12,} removed: {step['condition']}" for step in funnel]
    lines += [f"  {customers:>12,} in {branch}" for branch, customers in found.branches.items()]
    lines += [f"  {found.note}"] if found.note else []
    return {**asdict(found), "share": found.share, "exact": True, "funnel": funnel}, "\n".join([head, *lines])


def _evaluate(workbook: Workbook, name: str, _form: str) -> tuple[Any, str]:
    from clv_helpers import audiences

    with on_terminal():
        rows = audiences.evaluate(workbook, *([name] if name else []))
    lines = [
        f"{row.audience:<24} {row.customers:>10,} {workbook.words.customers}: "
        + (
            f"{judged('not evaluated')}: {row.doubt}"
            if row.doubt
            else f"{row.realized:,} realized, {row.exited:,} exited"
        )
        + (f"; {row.note}" if row.note else "")
        for row in rows
    ]
    evaluated = sum(not row.doubt for row in rows)
    lines.insert(0, f"{evaluated} of {len(rows)} audience{'s' * (len(rows) != 1)} evaluated")
    return {"audiences": [asdict(row) for row in rows]}, "\n".join(lines)


def _show(workbook: Workbook, name: str, form: str) -> tuple[Any, str]:
    from clv_helpers import audiences

    text = audiences.printed(workbook, name, form)
    shown = json.loads(text) if form in ("definition", "pql-json") else text
    return {"audience": name, "as": form, "text": shown}, text
