"""An activation from intent to receipt: each step is committed before the next, so that a killed run goes on."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clv_helpers import models
from clv_helpers.activation import ledger
from clv_helpers.activation.decision import decide_within, needs_a_plan
from clv_helpers.activation.destination import Destination, Outcome, Part, Run, open_destination
from clv_helpers.activation.ledger import ActivationResult
from clv_helpers.charts.rounding import people_text
from clv_helpers.charts.show import about, percent, share_of
from clv_helpers.config.destinations import Activation, DestinationError
from clv_helpers.config.validation import ParamsError, Problem
from clv_helpers.config.workbook import Workbook
from clv_helpers.errors import UserError
from clv_helpers.files import held


class ActivationStopped(UserError):
    """An activation that a guard has stopped. Nothing was written."""


class ActivationBusy(UserError):
    """Another process delivers to the same destination."""


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
    campaign, destination = activation.campaign, activation.destination
    change = workbook.query("activation.fact_change", campaign=campaign, destination=destination).iloc[0].to_dict()
    to_send, stops = int(change["now"]), _stops(change, activation, workbook)
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
        plan = destination.activation
        query = f"SELECT * FROM activation.fact_change WHERE {ledger.OF_PLAN}"
        change = session.rows(query, campaign=plan.campaign, destination=plan.destination)[0]
        if (stops := _stops(change, plan, workbook)) and not accept_change:
            raise ActivationStopped(stops)
        return ledger.intend(session, destination, workbook.as_of(session)), False


def _stops(change: dict[str, Any], activation: Activation, workbook: Workbook) -> str:
    """What stops an activation, by how those to be sent differ from those whom the destination has; empty: nothing.

    That nobody is to be sent, that more exited than `guards.max_exited_share` of those it has, or that the size
    differs by more than `guards.max_size_change`.
    """
    had, sent, exited, guards = change["before"], change["now"], change["exited"], activation.guards
    words, few = workbook.words, workbook.params.min_cell
    if not sent:
        why = f"of the audience {activation.audience} nobody is to be sent"
    elif had and exited / had > guards.max_exited_share:
        allowed = f"guards.max_exited_share is {percent(guards.max_exited_share)}"
        why = f"{share_of(exited, had, words.customers, few)} have exited; {allowed}"
    elif had and abs(sent - had) / had > guards.max_size_change:
        allowed = f"guards.max_size_change is {percent(guards.max_size_change)}"
        now, before = people_text(sent, few), people_text(had, few)
        grown = about((sent - had) / had, min(sent, had), few, "{:+.0%}".format)
        why = f"{now} {words.customers} are to be sent, {grown} from {before} last time; {allowed}"
    else:
        return ""
    name = f"{activation.campaign} to {activation.destination}"
    return f"{name} is stopped: {why}. If that is meant: clv activate … --confirm --accept-change"


@contextlib.contextmanager
def held_destination(folder: Path, destination: str) -> Iterator[None]:
    """Hold a destination of this workbook. The operating system lets go of it when the process ends, however it ends.

    Raises ActivationBusy, which names the process that holds it.
    """
    holder = folder / f"{destination}.pid"  # beside the lock, whose own content does not outlast an attempt to take it
    with held(folder / f"{destination}.lock") as is_held:
        if not is_held:
            process = holder.read_text("utf-8") if holder.exists() else "another"
            raise ActivationBusy(f"{destination}: process {process} delivers to it; run again when it is done")
        holder.write_text(str(os.getpid()), "utf-8")
        yield


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
        try:
            with workbook.engine.write(files=True) as session:
                destination.prepare(session, ledger.rows_of_part(part, destination.params), part)
            outcome = destination.deliver(part)
        except DestinationError:
            _settle(workbook, destination, part, destination.recover(part))
            raise
        finally:
            if not destination.recovers_from_spool:  # its addresses would lie there until someone tries again
                destination.clear(part)
        _settle(workbook, destination, part, outcome)


def drop(workbook: Workbook, activation: Activation) -> ActivationResult:
    """Give up a run that is open: what was delivered stays so, the rest is withdrawn, and no row of it stays in a file.

    Where the destination does not say what became of a part, its customers are in doubt, and are not sent again.
    Raises ActivationBusy where another process is at it.

    Example:
        >>> [plan] = activation.planned(wb, "win-back")
        >>> activation.drop(wb, plan).outcome
        'nothing to drop'
    """
    destination = open_destination(workbook, activation)
    folder = workbook.folder / "activation"
    with held_destination(folder, activation.destination):
        with workbook.engine.write() as session:
            ledger.create_tables(session)
            run = ledger.open_run(session, activation)
            spools = folder / run.run_id if run else folder
            parts = ledger.open_parts(session, run, spools) if run else []
        if run is None:
            return dataclasses.replace(dry_run(workbook, activation), outcome="nothing to drop")
        for part in parts:
            try:
                _settle(workbook, destination, part, destination.recover(part), again=False)
            except DestinationError:
                with workbook.engine.write() as session:
                    ledger.doubt(session, part)
        for part in (Part(run, number, spools / f"{number}.part") for number in range(run.parts + 1)):
            destination.clear(part)  # also of part 0, the control group
        shutil.rmtree(spools, ignore_errors=True)
        with workbook.engine.write(publish=True) as session:
            ledger.give_up(session, run)
            ledger.finish(session, run)
            models.refresh_tables(session, workbook, *models.MODEL)
            return ledger.result(session, run, "dropped")


def _settle(
    workbook: Workbook, destination: Destination, part: Part, outcome: Outcome | None, again: bool | None = None
) -> None:
    """Write down what became of a part. `again`: whether who is in doubt is delivered once more; None: as it does."""
    if outcome is not None:
        with workbook.engine.write() as session:
            ledger.settle(session, part, outcome, destination.sends_again_in_doubt if again is None else again)


def _close(workbook: Workbook, run: Run, goes_on: bool) -> ActivationResult:
    with workbook.engine.write(publish=True) as session:
        ledger.finish(session, run)
        models.refresh_tables(session, workbook, *models.MODEL)
        return ledger.result(session, run, "finished an interrupted run" if goes_on else "done")
