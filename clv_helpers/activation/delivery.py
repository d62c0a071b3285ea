"""An activation from intent to receipt: each step is committed before the next, so that a killed run goes on."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

from clv_helpers import models
from clv_helpers.activation import ledger
from clv_helpers.activation.decision import decide_within, needs_a_plan
from clv_helpers.activation.destination import Destination, Outcome, Part, Run, open_destination
from clv_helpers.activation.guards import ActivationStopped, check_size, held_destination
from clv_helpers.activation.ledger import ActivationResult
from clv_helpers.activation.mapping import rows_of_part
from clv_helpers.config.destinations import Activation, DestinationError
from clv_helpers.config.validation import ParamsError, Problem
from clv_helpers.config.workbook import Workbook


def planned(workbook: Workbook, campaign: str) -> list[Activation]:
    """The planned activations of a campaign, one per destination. Raises ParamsError where there is none.

    Example:
        >>> [plan.destination for plan in activation.planned(wb, "win-back")]
        ['email_team']
    """
    needs_a_plan(workbook)
    activations = [activation for activation in workbook.params.activations if activation.campaign == campaign]
    if not activations:
        known = ", ".join(dict.fromkeys(activation.campaign for activation in workbook.params.activations))
        raise ParamsError(str(workbook.file), [Problem("the campaign", repr(campaign), known)])
    return activations


def activate_planned(workbook: Workbook) -> list[ActivationResult]:
    """Activate what has `activate: true` in the params; the others stay a dry run. Gives a result per activation.

    Raises what `activate` raises, and StageSkipped where the params plan no activation.

    Example:
        >>> [(result.campaign, result.outcome) for result in activation.activate_planned(wb)]
        [('win-back', 'done')]
    """
    needs_a_plan(workbook)
    plan = workbook.params.activations
    return [activate(workbook, entry) if entry.activate else dry_run(workbook, entry) for entry in plan]


def dry_run(workbook: Workbook, activation: Activation) -> ActivationResult:
    """What an activation would do, as it was last decided; nothing is written.

    Example:
        >>> [plan] = activation.planned(wb, "win-back")
        >>> result = activation.dry_run(wb, plan)
        >>> result.to_send > 0, result.delivered
        (True, 0)
    """
    campaign, destination, stops = activation.campaign, activation.destination, ""
    change = workbook.query("activation.fact_change", campaign=campaign, destination=destination)
    try:
        with workbook.engine.read() as session:
            check_size(session, activation, workbook.words)
    except ActivationStopped as error:
        stops = str(error)
    to_send = int(change["now"].iloc[0])
    return ActivationResult(campaign, destination, activation.audience, "dry run", to_send, stops=stops)


def activate(workbook: Workbook, activation: Activation, accept_change: bool = False) -> ActivationResult:
    """Deliver an audience: once, completely, and only those who may be written to.

    A run that was interrupted is finished before another can begin. Raises ActivationStopped by a guard (not with
    `accept_change`), ActivationBusy where another process is at it, DestinationError where the destination does not
    answer; the run then stays open, and goes on when it is called again. Cost: a few passes over the audience.

    Example:
        >>> [plan] = activation.planned(wb, "win-back")
        >>> activation.activate(wb, plan).outcome
        'done'
    """
    destination = open_destination(workbook, activation)
    folder = workbook.folder / "activation"
    with held_destination(folder, activation.destination):
        run, goes_on = _begin(workbook, destination, accept_change)
        if run is None:
            with workbook.engine.write(publish=True):
                pass  # what was written may not have been published, if its process was killed just then
            return dataclasses.replace(dry_run(workbook, activation), outcome="nothing new")
        spools = folder / run.run_id
        _deliver_parts(workbook, destination, run, spools, goes_on)
        with workbook.engine.write() as session:
            files = ledger.files(session, run)
        destination.finish(run, files)
        shutil.rmtree(spools, ignore_errors=True)
        return _close(workbook, run, goes_on)


def _begin(workbook: Workbook, destination: Destination, accept_change: bool) -> tuple[Run | None, bool]:
    """Decide, and write down the intent, in one transaction; or take up the run that is open."""
    with workbook.engine.write() as session:
        decide_within(session, workbook)
        run = ledger.open_run(session, destination.activation)
        if run:
            return run, True
        if not accept_change:
            check_size(session, destination.activation, workbook.words)
        return ledger.intend(session, destination, workbook.as_of(session)), False


def _deliver_parts(workbook: Workbook, destination: Destination, run: Run, spools: Path, goes_on: bool) -> None:
    """Deliver what is open of a run; of one that was interrupted, after finding out what had become of it."""
    with workbook.engine.write() as session:
        parts = ledger.open_parts(session, run, spools)
    if goes_on:
        for part in parts:
            _settle(workbook, destination, part, destination.recover(part))
        with workbook.engine.write() as session:
            ledger.withdraw(session, run, destination.params)
            parts = ledger.open_parts(session, run, spools)
    for part in parts:
        with workbook.engine.write() as session:
            destination.prepare(session, rows_of_part(part, destination.params), part)
        try:
            outcome = destination.deliver(part)
        except DestinationError:
            _settle(workbook, destination, part, destination.recover(part))
            raise
        _settle(workbook, destination, part, outcome)


def _settle(workbook: Workbook, destination: Destination, part: Part, outcome: Outcome | None) -> None:
    if outcome is not None:
        with workbook.engine.write() as session:
            ledger.settle(session, part, outcome, again=destination.sends_again_in_doubt)


def _close(workbook: Workbook, run: Run, goes_on: bool) -> ActivationResult:
    with workbook.engine.write(publish=True) as session:
        ledger.finish(session, run)
        models.refresh_tables(session, workbook, *models.MODEL)
        return ledger.result(session, run, "finished an interrupted run" if goes_on else "done")
