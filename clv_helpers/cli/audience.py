"""`clv audience`: list, count, evaluate and show audiences."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from clv_helpers.cli.options import Json, Opened, app, progress, say

if TYPE_CHECKING:
    from clv_helpers.config.workbook import Workbook

Action = Literal["list", "count", "evaluate", "show"]
Form = Literal["text", "sql", "spark", "pql", "pql-json", "definition", "yaml"]


@app.command()
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
    lines = [f"{r['audience']:<24} {r['evaluation']:<10} {r['sentence']}" for r in rows]
    return {"audiences": rows}, "\n".join(lines)


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
        progress(doubt.sentence)
    lines = [f"  {step['left']:>12,} left, {step['removed']:>12,} removed: {step['condition']}" for step in funnel]
    lines += [f"  {customers:>12,} in {branch}" for branch, customers in found.branches.items()]
    lines += [f"  {found.note}"] if found.note else []
    return {**asdict(found), "share": found.share, "exact": True, "funnel": funnel}, "\n".join([head, *lines])


def _evaluate(workbook: Workbook, name: str, _form: str) -> tuple[Any, str]:
    from clv_helpers import audiences

    rows = audiences.evaluate(workbook, *([name] if name else []))
    lines = [
        f"{row.audience:<24} {row.customers:>10,} {workbook.words.customers}: "
        + (f"not evaluated: {row.doubt}" if row.doubt else f"{row.realized:,} realized, {row.exited:,} exited")
        + (f"; {row.note}" if row.note else "")
        for row in rows
    ]
    return {"audiences": [asdict(row) for row in rows]}, "\n".join(lines)


def _show(workbook: Workbook, name: str, form: str) -> tuple[Any, str]:
    from clv_helpers import audiences

    text = audiences.printed(workbook, name, form)
    shown = json.loads(text) if form in ("definition", "pql-json") else text
    return {"audience": name, "as": form, "text": shown}, text
