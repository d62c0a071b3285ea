"""`clv run`, `check` and `simulate`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from clv_helpers.cli.options import AsOf, Json, Params, Set, app, as_text, parse_changes
from clv_helpers.config.params import Simulation
from clv_helpers.config.validation import ParamsError, Problem
from clv_helpers.config.workbook import Workbook
from clv_helpers.run import notebooks


@app.command()
def run(
    params: Params,
    first: Annotated[int, typer.Option("--from", min=1, max=6, help="go on with the latest run from this stage")] = 1,
    only: Annotated[str, typer.Option(help="only these stages of the latest whole run, such as 3,4")] = "",
    as_of: AsOf = "",
    changes: Set = [],  # noqa: B006 (typer copies it)
    as_json: Json = False,
) -> None:
    """Run the six notebooks, and write the report."""
    stages = _stages(first, only)
    record, folder = notebooks.run(params, stages, as_of, parse_changes(params, changes), notebooks.say_on_stderr)
    report = folder / record.report
    print(as_text(asdict(record)) if as_json else f"report: {report}")


@app.command()
def check(params: Params, as_of: AsOf = "", changes: Set = [], as_json: Json = False) -> None:  # noqa: B006
    """Validate a params file, its sources, own tables, dashboards and audiences, without running anything."""
    doubts: list[Problem] = []
    try:
        workbook = Workbook.open(params, as_of, parse_changes(params, changes))
        problems = notebooks.check(workbook)
        doubts = [] if problems else notebooks.doubts(workbook)
    except ParamsError as error:
        problems = error.problems
    if as_json:
        found = {"problems": problems, "doubts": doubts}
        print(as_text({key: [each._asdict() for each in rows] for key, rows in found.items()}))
    else:
        for problem in [*problems, *doubts]:
            print(problem.sentence, file=sys.stderr)
        if not problems and not doubts:
            print(f"{params}: nothing wrong found")
    raise typer.Exit(1 if problems else 0)


@app.command()
def simulate(
    out: Annotated[Path, typer.Argument(help="the folder to write to")],
    members: Annotated[int, typer.Option(min=50)] = Simulation().members,
    years: Annotated[int, typer.Option(min=1, max=10)] = Simulation().years,
    seed: Annotated[int, typer.Option(min=0)] = Simulation().seed,
    as_json: Json = False,
) -> None:
    """Write the simulated airline as Parquet files, with the true values in truth.json."""
    from clv_helpers.simulate import write_airline

    truth = write_airline(Simulation(members=members, years=years, seed=seed), out)
    rows = ", ".join(f"{count:,} {name}" for name, count in truth["rows"].items())
    print(as_text(truth) if as_json else f"{out}: {rows}; the true values are in truth.json")


def _stages(first: int, only: str) -> list[int] | None:
    if only and first > 1:
        raise typer.BadParameter("--from and --only exclude each other")
    if not only:
        return list(range(first, 7)) if first > 1 else None
    try:
        stages = sorted({int(part) for part in only.split(",")})
    except ValueError:
        stages = []
    if not stages or not set(stages) <= set(notebooks.STAGES):
        raise typer.BadParameter(f"--only is {only!r}; allowed: stages from 1 to 6, such as 3,4")
    return stages
