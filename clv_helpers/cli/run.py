"""`clv check`, `run`, `lab` and `simulate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clv_helpers.cli.options import (
    AsOf,
    Json,
    Opened,
    Params,
    Set,
    colored,
    command,
    notice,
    opened,
    parse_changes,
    say,
)

if TYPE_CHECKING:
    from clv_helpers.config.validation import Problem


def _default(key: str) -> int:
    from clv_helpers.config.settings import Simulation

    return getattr(Simulation(), key)


@command("params/airline.yml", "params/airline.yml --from 4", "params/airline.yml --set lifetime.horizon_months=6")
def run(
    params: Params,
    first: Annotated[int, typer.Option("--from", min=1, max=6, help="go on with the latest run from this stage")] = 1,
    only: Annotated[str, typer.Option(help="only these stages of the latest whole run, such as 3,4")] = "",
    as_of: AsOf = "",
    changes: Set = None,
    as_json: Json = False,
) -> None:
    """Run the six notebooks, and write the report."""
    from clv_helpers.run import notebooks

    record, folder = notebooks.run(params, _stages(first, only), as_of, parse_changes(params, changes), notice)
    shared = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    say(as_json, shared, [f"report: {folder / record.report}"])


@command("params/airline.yml")
def check(params: Params, as_of: AsOf = "", changes: Set = None, as_json: Json = False) -> None:
    """Validate a params file, every row of its files, own tables, dashboards and audiences; nothing is kept."""
    from clv_helpers.config.validation import ParamsError
    from clv_helpers.run import notebooks, row_check

    warnings: list[Problem] = []
    try:
        workbook = opened(params, as_of, changes)
        problems = notebooks.check(workbook)
        if not problems:
            problems, warnings = row_check.row_findings(workbook)
            warnings += notebooks.warnings(workbook)
    except ParamsError as error:
        problems = error.problems
    for problem in () if as_json else [*problems, *warnings]:
        notice(problem.sentence)
    lists = {"problems": problems, "warnings": warnings}
    found = {key: [problem._asdict() for problem in rows] for key, rows in lists.items()}
    say(as_json, found, [] if problems or warnings else [f"{params}: {colored('nothing wrong found', 'green')}"])
    raise typer.Exit(1 if problems else 0)


@command(
    "params/airline.yml",
    "params/airline.yml --no-browser",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def lab(context: typer.Context, workbook: Opened) -> None:
    """Open JupyterLab on copies of the six notebooks for this workbook; further options go to JupyterLab."""
    from clv_helpers.run import lab

    folder = lab.prepare(workbook)
    notice(f"the notebooks are in {folder}")
    raise typer.Exit(lab.start(folder, context.args))


@command("data/airline --members 5000")
def simulate(
    out: Annotated[Path, typer.Argument(help="the folder to write to")],
    members: Annotated[int, typer.Option(min=50, default_factory=lambda: _default("members"))],
    years: Annotated[int, typer.Option(min=1, max=10, default_factory=lambda: _default("years"))],
    seed: Annotated[int, typer.Option(min=0, default_factory=lambda: _default("seed"))],
    as_json: Json = False,
) -> None:
    """Write the simulated airline as Parquet files, with the true values in truth.json."""
    from clv_helpers.config.settings import Simulation
    from clv_helpers.simulate import write_airline

    truth = write_airline(Simulation(members=members, years=years, seed=seed), out)
    rows = ", ".join(f"{count:,} {name}" for name, count in truth["rows"].items())
    say(as_json, truth, [f"{out}: {rows}; the true values are in truth.json"])


def _stages(first: int, only: str) -> list[int] | None:
    from clv_helpers.run import notebooks

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
