"""An activation from intent to receipt: each step is committed before the next, so that a killed run goes on."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from clv_helpers import models
from clv_helpers.activation import ledger
from clv_helpers.activation.decision import decide_within, needs_a_plan
from clv_helpers.activation.destination import Destination, Outcome, Part, Run, open_destination
from clv_helpers.activation.guards import ActivationStopped, check_size, only_one
from clv_helpers.activation.mapping import people
from clv_helpers.config.destinations import Activation, DestinationError
from clv_helpers.config.validation import ParamsError, Problem
from clv_helpers.config.workbook import Workbook


def planned(workbook: Workbook, campaign: str) -> list[Activation]:
    """The planned activations of a campaign, one per destination. Raises ParamsError where there is none."""
    needs_a_plan(workbook)
    found = [each for each in workbook.params.activations if each.campaign == campaign]
    if not found:
        known = ", ".join(dict.fromkeys(each.campaign for each in workbook.params.activations))
        raise ParamsError(str(workbook.file), [Problem("the campaign", repr(campaign), known)])
    return found


def activate_planned(workbook: Workbook) -> list[dict[str, Any]]:
    """Activate what has `activate: true` in the params; the others stay a dry run. Gives a row per activation."""
    needs_a_plan(workbook)
    plan = workbook.params.activations
    return [activate(workbook, each) if each.activate else dry_run(workbook, each) for each in plan]


def dry_run(workbook: Workbook, activation: Activation) -> dict[str, Any]:
    """What an activation would do, as it was last decided; nothing is written. `stops`: what a guard would say."""
    names = {"campaign": activation.campaign, "destination": activation.destination}
    to_send = int(workbook.query("activation.fact_change", **names)["now"].iloc[0])
    stops = ""
    try:
        with workbook.engine.read() as session:
            check_size(session, activation)
    except ActivationStopped as error:
        stops = str(error)
    counts = {"to_send": to_send, "delivered": 0, "rejected": 0, "in doubt": 0}
    return {**names, "audience": activation.audience, "outcome": "dry run", "stops": stops, **counts}


def activate(workbook: Workbook, activation: Activation, accept_change: bool = False) -> dict[str, Any]:
    """Hand an audience over: once, completely, and only those who may be written to.

    A run that was interrupted is finished before another can begin. Gives what was done: run_id, outcome (`done`,
    `finished an interrupted run`, `nothing new`), delivered, rejected, in doubt, withdrawn, reasons, files.
    Raises ActivationStopped by a guard, ActivationBusy where another process is at it, DestinationError where the
    destination does not answer; the run then stays open, and goes on when it is called again.
    """
    destination = open_destination(workbook, activation)
    folder = workbook.folder / "activation"
    with only_one(folder, activation.destination):
        run, goes_on = _begin(workbook, destination, accept_change)
        if run is None:
            with workbook.engine.write(publish=True):
                pass  # what was written may not have been published, if its process was killed just then
            return {**dry_run(workbook, activation), "outcome": "nothing new", "files": []}
        spools = folder / run.run_id
        _hand_over_parts(workbook, destination, run, spools, goes_on)
        with workbook.engine.write() as session:
            delivered = ledger.parts(session, run)
        destination.finish(run, delivered)
        shutil.rmtree(spools, ignore_errors=True)
        return _close(workbook, run, goes_on, delivered)


def _begin(workbook: Workbook, destination: Destination, accept_change: bool) -> tuple[Run | None, bool]:
    """Decide, and write down the intent, in one transaction; or take up the run that is open."""
    with workbook.engine.write() as session:
        decide_within(session, workbook)
        run = ledger.open_run(session, destination.activation)
        if run:
            return run, True
        if not accept_change:
            check_size(session, destination.activation)
        return ledger.intend(session, destination, workbook.as_of(session)), False


def _hand_over_parts(workbook: Workbook, destination: Destination, run: Run, spools: Path, goes_on: bool) -> None:
    with workbook.engine.write() as session:
        numbers = ledger.open_parts(session, run)
    for number in numbers:
        part = Part(run, number, spools / f"{number}.part")
        if goes_on:
            _settle(workbook, destination, part, destination.recover(part))
    if goes_on:
        with workbook.engine.write() as session:
            ledger.withdraw(session, run, destination.params)
            numbers = ledger.open_parts(session, run)
    for number in numbers:
        part = Part(run, number, spools / f"{number}.part")
        with workbook.engine.write() as session:
            destination.prepare(session, people(run, number, destination.params), part)
        try:
            outcome = destination.deliver(part)
        except DestinationError:
            _settle(workbook, destination, part, destination.recover(part))
            raise
        _settle(workbook, destination, part, outcome)


def _settle(workbook: Workbook, destination: Destination, part: Part, outcome: Outcome | None) -> None:
    if outcome is not None:
        with workbook.engine.write() as session:
            ledger.settle(session, part, outcome, keep_doubts=not destination.sends_again_in_doubt)


def _close(workbook: Workbook, run: Run, goes_on: bool, files: list[dict[str, Any]]) -> dict[str, Any]:
    with workbook.engine.write(publish=True) as session:
        ledger.finish(session, run)
        models.refresh_tables(session, workbook, *models.MODEL)
        counts, reasons = ledger.counts(session, run), ledger.reasons(session, run)
    return {
        "campaign": run.campaign,
        "destination": run.destination,
        "audience": run.audience,
        "outcome": "finished an interrupted run" if goes_on else "done",
        "run_id": run.run_id,
        "to_send": sum(counts[status] for status in ("delivered", "rejected", "in doubt", "withdrawn")),
        **counts,
        "reasons": reasons,
        "files": files,
    }
