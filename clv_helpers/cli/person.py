"""`clv person`: what is held on a person, as a file; and the person's erasure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from clv_helpers.cli.options import Json, Opened, command, notice, say

if TYPE_CHECKING:
    from clv_helpers.run.forget import Forgetting


@command("params/airline.yml 1234 export", "params/airline.yml 1234 forget --confirm")
def person(
    workbook: Opened,
    who: Annotated[str, typer.Argument(metavar="ID", help="customer number, or an address that one customer has")],
    action: Annotated[Literal["export", "forget"], typer.Argument(help="write all that is held, or erase it")],
    output: Annotated[Path | None, typer.Option(help="folder of an export; none: outputs/<name>/people/<ID>")] = None,
    confirm: Annotated[bool, typer.Option("--confirm", help="erase; without it, say what would be erased")] = False,
    as_json: Json = False,
) -> None:
    """Export all that is held on a person, or erase the person and keep them out."""
    if action == "export":
        from clv_helpers.run.person_export import export

        held, files = export(workbook, who, output)
        rows = {part.table: len(part.rows) for part in held.tables}
        lines = [*(f"{name:<40} {count:>9,} rows" for name, count in rows.items()), *map(str, files)]
        say(as_json, {**asdict(held), "written": [str(file) for file in files]}, lines)
        return
    from clv_helpers.run.forget import forget, plan

    told = forget(workbook, who) if confirm else plan(workbook, who)
    say(as_json, asdict(told), _lines(told))
    if not confirm:
        notice("nothing was erased; erase with --confirm")
    raise typer.Exit(1 if told.left else 0)


def _lines(told: Forgetting) -> Iterator[str]:
    yield from (f"{name:<40} {rows:>9,} rows" for name, rows in told.tables.items())
    for file in told.files:
        yield f"{file.path}: {file.records:,} {'records' if file.is_table else 'lines; the file goes'}"
    if told.shared:
        yield f"kept: {told.shared} identities that other customers have as well"
    for row in told.handed_over:
        when = f"{row['status']} {row['settled_at']} UTC"
        yield f"not reached: handed to {row['destination']} for {row['campaign']}, {when}"
    yield from (f"not reached: your own data, {file.path}: {file.records:,} records" for file in told.sources)
    yield from (f"not searched: {file}" for file in told.unreadable)
    yield "not reached: backups, and copies that people made"
    yield from (f"STILL THERE: {place}" for place in told.left)
    if told.done:
        yield "erased; a search through every table and file of this workbook finds nothing more"
