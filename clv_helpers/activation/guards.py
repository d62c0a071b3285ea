"""What stops an activation before anything is written: an odd size, or another activation under way."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from clv_helpers.charts.show import percent
from clv_helpers.config.destinations import Activation
from clv_helpers.config.params import Words
from clv_helpers.engines.session import Session
from clv_helpers.errors import UserError
from clv_helpers.files import held


class ActivationStopped(UserError):
    """An activation that a guard has stopped. Nothing was written."""


class ActivationBusy(UserError):
    """Another process delivers to the same destination."""


def check_size(session: Session, activation: Activation, words: Words) -> None:
    """Compare what is to be sent with what the destination has by the last activation.

    Raises ActivationStopped for an audience of which nobody is to be sent, for more exited than
    `guards.max_exited_share` of those it has, and for a size that differs by more than `guards.max_size_change`.
    """
    query = "SELECT * FROM activation.fact_change WHERE campaign = $campaign AND destination = $destination"
    change = session.rows(query, campaign=activation.campaign, destination=activation.destination)[0]
    had, sent, exited, guards = change["before"], change["now"], change["exited"], activation.guards
    why = ""
    if not sent:
        why = f"of the audience {activation.audience} nobody is to be sent"
    elif had and exited / had > guards.max_exited_share:
        allowed = f"guards.max_exited_share is {percent(guards.max_exited_share)}"
        why = f"{exited:,} of {had:,} {words.customers} ({percent(exited / had)}) have exited; {allowed}"
    elif had and abs(sent - had) / had > guards.max_size_change:
        allowed = f"guards.max_size_change is {percent(guards.max_size_change)}"
        by = f"{(sent - had) / had:+.0%}"
        why = f"{sent:,} {words.customers} are to be sent, {by} from {had:,} last time; {allowed}"
    if why:
        name = f"{activation.campaign} to {activation.destination}"
        raise ActivationStopped(f"{name} is stopped: {why}. If that is meant: clv activate … --confirm --accept-change")


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
