"""`clv …`: thin, each command one call into the package. Results go to standard output, progress to standard error."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from clv_helpers import chain
from clv_helpers.engines.duckdb import LakeBusyError
from clv_helpers.params import ParamsError, Problem, Simulation, parse_value
from clv_helpers.report import ReportError
from clv_helpers.workbook import NothingToCompute, Workbook

app = typer.Typer(help="Customer lifetime value, from the signals to the campaign's results.", no_args_is_help=True)
FOLLOWING = ("derived", "profile", "insights")  # the tables that follow the batches by themselves
Params = Annotated[Path, typer.Argument(help="the workbook's params file, such as params/airline.yml")]
AsOf = Annotated[str, typer.Option("--as-of", help="compute as of this day (2025-07-01), or latest")]
Set = Annotated[list[str], typer.Option("--set", help="key=value: change the params for this run (repeatable)")]
Json = Annotated[bool, typer.Option("--json", help="one JSON object on standard output")]


@app.command()
def run(
    params: Params,
    first: Annotated[int, typer.Option("--from", min=1, max=6, help="go on with the latest run from this stage")] = 1,
    only: Annotated[str, typer.Option(help="only these stages of the latest run, such as 3,4")] = "",
    as_of: AsOf = "",
    changes: Set = [],  # noqa: B006 (typer copies it)
    as_json: Json = False,
) -> None:
    """Run the six notebooks, and write the report."""
    stages = _stages(first, only)
    record, folder = chain.run(params, stages, as_of, _changes(params, changes), chain.say_on_stderr)
    report = folder / record.report
    print(json.dumps(asdict(record), indent=2, ensure_ascii=False) if as_json else f"report: {report}")


@app.command()
def check(params: Params, as_of: AsOf = "", changes: Set = [], as_json: Json = False) -> None:  # noqa: B006
    """Validate a params file, its sources, dashboards and audiences, without running anything."""
    try:
        problems = chain.check(Workbook.open(params, as_of, _changes(params, changes)))
    except ParamsError as error:
        problems = list(error.problems)
    if as_json:
        rows = [p._asdict() if isinstance(p, Problem) else {"path": "", "value": p, "allowed": ""} for p in problems]
        print(json.dumps({"problems": rows}, indent=2, ensure_ascii=False))
    else:
        for problem in problems:
            print(f"{params}: {problem}", file=sys.stderr)
        if not problems:
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
    print(json.dumps(truth, indent=2) if as_json else f"{out}: {rows}; the true values are in truth.json")


@app.command()
def ingest(
    params: Params,
    files: Annotated[list[Path], typer.Argument(help="files; none: those that the params name")] = [],  # noqa: B006
    dataset: Annotated[str, typer.Option(help="what the files hold: loyalty_events, members or email_events")] = "",
    as_json: Json = False,
) -> None:
    """Bring files in as batches."""
    from clv_helpers import lake

    workbook = Workbook.open(params)
    if bool(files) != bool(dataset) or (dataset and dataset not in workbook.params.sources):
        allowed = ", ".join(workbook.params.sources)
        raise ParamsError(str(params), [Problem("--dataset", repr(dataset), f"with files, one of {allowed}")])
    rows = lake.ingest(workbook, dataset, files or None)
    for row in rows:
        if row["unknown_columns"]:
            names = ", ".join(row["unknown_columns"])
            print(f"{row['file']}: columns that sources.{row['dataset']} does not know: {names}", file=sys.stderr)
    _print_batches(rows, as_json)


@app.command()
def refresh(params: Params, as_of: AsOf = "", changes: Set = [], as_json: Json = False) -> None:  # noqa: B006
    """Bring the tables of stages 1 and 2 up to date with the batches: only what changed is computed anew."""
    from clv_helpers import lake

    rows = lake.refresh(Workbook.open(params, as_of, _changes(params, changes)), *FOLLOWING)
    if as_json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    for row in rows:
        print(f"{row['table']:<34} {row['mode']:<10} {row['rows']:>12,} rows {row['seconds']:>9.3f} s")


@app.command()
def batches(params: Params, as_json: Json = False) -> None:
    """The ledger: every batch, and where it stands."""
    from clv_helpers import lake

    _print_batches(lake.batches(Workbook.open(params)), as_json)


@app.command()
def revert(params: Params, batch: int, as_json: Json = False) -> None:
    """Take a batch back; the derived tables follow."""
    from clv_helpers import lake

    workbook = Workbook.open(params)
    row = lake.revert(workbook, batch)
    lake.refresh(workbook, *FOLLOWING)
    _print_batches([row], as_json)


@app.command()
def replay(params: Params, batch: int, file: Path, as_json: Json = False) -> None:
    """Put a file in the place of a batch; the derived tables follow."""
    from clv_helpers import lake

    workbook = Workbook.open(params)
    row = lake.replay(workbook, batch, file)
    lake.refresh(workbook, *FOLLOWING)
    _print_batches([row], as_json)


def _print_batches(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print(json.dumps(rows, indent=2, default=str, ensure_ascii=False))
        return
    print(f"{'batch':>5}  {'dataset':<15} {'file':<32} {'status':<17} {'read':>12} {'accepted':>12} {'rejected':>9}")
    for row in rows:
        counts = [f"{row[name] or 0:,}" for name in ("rows_read", "rows_accepted", "rows_rejected")]
        print(
            f"{row['_batch_id']:>5}  {row['dataset']:<15} {row['file']:<32} {row['status']:<17} "
            f"{counts[0]:>12} {counts[1]:>12} {counts[2]:>9}"
        )
        if row["status"] == "failed":
            print(f"       {row['reason']}")


@app.command()
def sql(
    params: Params,
    query: Annotated[str, typer.Argument(help="one SELECT over the published tables")],
    as_json: Json = False,
) -> None:
    """Run a read-only query on the published tables."""
    from clv_helpers import insights

    rows = insights.query(Workbook.open(params), query)
    print(rows.to_json(orient="records", date_format="iso") if as_json else rows.to_string(index=False))


def _stages(first: int, only: str) -> list[int] | None:
    if only and first > 1:
        raise typer.BadParameter("--from and --only exclude each other")
    if not only:
        return list(range(first, 7)) if first > 1 else None
    try:
        stages = sorted({int(part) for part in only.split(",")})
    except ValueError:
        stages = []
    if not stages or not set(stages) <= set(chain.STAGES):
        raise typer.BadParameter(f"--only is {only!r}; allowed: stages from 1 to 6, such as 3,4")
    return stages


def _changes(params: Path, changes: list[str]) -> dict[str, Any]:
    pairs = {}
    for change in changes:
        key, equals, value = change.partition("=")
        if not key or not equals:
            raise ParamsError(str(params), [Problem("--set", repr(change), "key=value, such as value.unit=km")])
        pairs[key] = parse_value(value)
    return pairs


def main() -> None:
    """The entry point: what a person can mend is one sentence, without a stack trace."""
    from clv_helpers.insights import QueryError
    from clv_helpers.lake import IngestError, TableError

    try:
        app()
    except (
        ParamsError, chain.ChainError, ReportError, LakeBusyError, IngestError, TableError, QueryError,
        NothingToCompute, FileNotFoundError,
    ) as error:  # fmt: skip
        print(error, file=sys.stderr)
        sys.exit(1)
