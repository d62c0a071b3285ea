"""`clv new`: from a file, a folder or a pattern to a workbook and its first report."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clv_helpers.cli.options import Json, command, notice, say

if TYPE_CHECKING:
    from clv_helpers.run.new import Draft, Question, Sums

WIDE = 60  # signs of the examples of one header


@command("my_shop --from orders.csv", "my_shop --from 'orders/*.csv' --yes")
def new(
    name: Annotated[str, typer.Argument(help="the workbook: its params are written to NAME.yml")],
    source: Annotated[
        str,
        typer.Option(
            "--from",
            help="a file, a folder, a pattern ('orders/*.csv'), an address ('s3://shop/*.csv') "
            "or a database ('${SHOP_DSN}')",
        ),
    ] = "",
    table: Annotated[str, typer.Option(help="of a database, the table with the purchases")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="ask nothing: every doubt is settled by its default")] = False,
    no_run: Annotated[bool, typer.Option("--no-run", help="write the params, and run nothing")] = False,
    as_json: Json = False,
) -> None:
    """Make a workbook from your data: recognise the columns, ask what is in doubt, write the params, and run."""
    from clv_helpers.run import new as making
    from clv_helpers.run import notebooks

    file = making.file_of(name)
    if not source:
        making.write(making.empty(file), file)
        say(as_json, {"params": str(file)}, [f"{file} is written", f"fill it in, then: clv run {file}"])
        return
    tell = notice if as_json else print
    with making.reading(file, source, table) as draft:
        asked = making.questions(draft)
        made = making.answered(draft, asked, {})
        first = making.sums(made, file)
        for line in [*_reading(made), *made.notes, *_sums(first, made)]:
            tell(line)
        answers = {} if yes or as_json or not sys.stdin.isatty() else _ask(asked[: making.MOST])
        made = making.answered(draft, asked, answers)
        counted = first if not any(answers.values()) else making.sums(made, file)
        for line in [] if counted is first else _sums(counted, made):
            tell(line)
        making.write(made, file, f" from {table or Path(source).name}, whose columns are guessed")
        found = {"params": str(file), **_as_json(made, counted, asked)}
    tell(f"{file} is written")
    if no_run:
        say(as_json, found, [f"read it, mend what is wrong, then: clv run {file}"])
        return
    record, folder = notebooks.run(file, log=notice)
    report = folder / record.report
    say(as_json, {**found, "report": str(report)}, [f"report: {report}"])


def _reading(made: Draft) -> list[str]:
    """What each file is taken for: header, our column, a few values."""
    lines = []
    for dataset, samples in made.samples.items():
        files = [file.name for sample in samples for file in sample.files]
        rows = sum(sample.rows for sample in samples)
        named = files[0] if len(files) == 1 else f"{files[0]} … {files[-1]} ({len(files)} files)"
        kind = made.kind(dataset)
        lines += ["", f"{named}: {rows:,} rows, taken for {kind}"]
        taken = made.taken_for(dataset)
        width, ours = (max(map(len, texts), default=0) for texts in (taken, taken.values()))
        for header, column in taken.items():
            values = ", ".join(made.examples(dataset, header))
            lines.append(f"  {header:<{width}}  {column or '–':<{ours}}  {values[:WIDE]}".rstrip())
    return [*lines, ""]


def _sums(counted: Sums, made: Draft) -> list[str]:
    return [*counted.sentences(*made.words()), ""]


def _ask(asked: list[Question]) -> dict[str, str]:
    """The answers of whoever sits before the terminal, by the question's key."""
    answers = {}
    for question in asked:
        print(question.text)
        options = list(question.answers)
        for number, option in enumerate(options, 1):
            print(f"  {number}  {option}")
        chosen = 0
        while not 1 <= chosen <= len(options):
            chosen = typer.prompt("  which", default=1, type=int)
        answers[question.key] = options[int(chosen) - 1]
    return answers


def _as_json(made: Draft, counted: Sums, asked: list[Question]) -> dict[str, Any]:
    reading = {
        dataset: {
            "kind": made.kind(dataset),
            "files": [
                made.origin.written(file) if made.origin else str(file) for sample in samples for file in sample.files
            ],
            "rows": sum(sample.rows for sample in samples),
            "columns": [
                {"header": header, "column": column, "values": made.examples(dataset, header)}
                for header, column in made.taken_for(dataset).items()
            ],
        }
        for dataset, samples in made.samples.items()
    }
    questions = [
        {"key": each.key, "question": each.text, "answers": list(each.answers), "default": each.default}
        for each in asked
    ]
    return {"reading": reading, "sums": asdict(counted), "questions": questions}
