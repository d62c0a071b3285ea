"""`clv destinations` and `clv activate`: whether destinations answer, and what leaves for them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clv_helpers.cli.options import Json, Opened, Params, Set, command, notice, opened, say
from clv_helpers.errors import UserError

if TYPE_CHECKING:
    from clv_helpers.config.workbook import Workbook


@command("params/airline.yml")
def destinations(
    workbook: Opened,
    action: Annotated[str, typer.Argument(help="check: try the connection of each")] = "check",
    as_json: Json = False,
) -> None:
    """Try the connection to every destination that an activation names."""
    from clv_helpers.activation.destination import open_destination

    if action != "check":
        raise typer.BadParameter(f"ACTION is {action!r}; allowed: check")
    rows: list[dict[str, Any]] = []
    for name, activation in {each.destination: each for each in workbook.params.activations}.items():
        try:
            rows.append({"destination": name, "answers": True, "said": open_destination(workbook, activation).check()})
        except UserError as error:
            rows.append({"destination": name, "answers": False, "said": str(error)})
    lines = (f"{'✓' if row['answers'] else '✗'} {row['destination']}: {row['said']}" for row in rows)
    say(as_json, {"destinations": rows}, lines)
    raise typer.Exit(0 if all(row["answers"] for row in rows) else 1)


@command("params/airline.yml win-back", "params/airline.yml win-back --confirm")
def activate(
    params: Params,
    name: Annotated[str, typer.Argument(help="the campaign, as the params name it under activations")],
    confirm: Annotated[bool, typer.Option("--confirm", help="deliver the audience; without it, a dry run")] = False,
    drop: Annotated[bool, typer.Option("--drop", help="give up a delivery that was interrupted")] = False,
    accept_change: Annotated[bool, typer.Option("--accept-change", help="whatever the guards say")] = False,
    changes: Set = None,
    as_json: Json = False,
) -> None:
    """Show who would be sent a campaign, step by step; with --confirm, deliver to them."""
    from clv_helpers import activation

    if drop and confirm:
        raise typer.BadParameter("--drop and --confirm; allowed: one of them")
    workbook = opened(params, "", changes)
    plan = activation.planned(workbook, name)
    activation.decide(workbook)
    done = []
    for each in plan:
        before = _before(workbook, name, each.destination)
        if drop:
            row = activation.drop(workbook, each)
        else:
            row = activation.activate(workbook, each, accept_change) if confirm else activation.dry_run(workbook, each)
        done.append({**dataclasses.asdict(row), **before})
    say(as_json, {"activations": done}, (line for row in done for line in _lines(row)))
    if not confirm and not drop:
        notice("nothing was written; deliver with --confirm")


def _before(workbook: Workbook, campaign: str, destination: str) -> dict[str, Any]:
    names = {"campaign": campaign, "destination": destination}
    steps = workbook.query("activation.fact_waterfall", order_by="step_order", **names)
    change = workbook.query("activation.fact_change", **names).iloc[0]
    return {
        "waterfall": dict(zip(steps["step"], map(int, steps["customers"]), strict=True)),
        "realized": int(change["realized"]),
        "exited": int(change["exited"]),
    }


def _lines(row: dict[str, Any]) -> Iterator[str]:
    yield f"{row['campaign']} → {row['destination']} (audience {row['audience']}): {row['outcome']}"
    for step, customers in row["waterfall"].items():
        yield f"  {step:<18} {customers:>12,}"
    yield f"  {'since last time':<18} {row['realized']:>+12,} realized, {-row['exited']:,} exited"
    if row["stops"]:
        yield f"  {row['stops']}"
    for key in ("delivered", "rejected", "in_doubt", "withdrawn"):
        if row[key]:
            yield f"  {key.replace('_', ' '):<18} {row[key]:>12,}"
    for reason in row["reasons"]:
        yield f"    {reason['reason']}: {reason['customers']:,}"
    for file in row["files"]:
        yield f"  {file['name']}: {file['rows']:,} rows, {file['bytes']:,} bytes, sha256 {file['sha256']}"
