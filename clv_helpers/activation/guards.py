"""What stops an activation before anything is written: an odd size, or another activation under way."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from clv_helpers.charts.show import percent
from clv_helpers.config.destinations import Activation
from clv_helpers.engines.session import Session
from clv_helpers.errors import UserError


class ActivationStopped(UserError):
    """An activation that a guard has stopped. Nothing was written."""


class ActivationBusy(UserError):
    """Another process hands over to the same destination."""


def check_size(session: Session, activation: Activation) -> None:
    """Compare what is to be sent with what the destination has by the last activation.

    Raises ActivationStopped for an audience of which nobody is to be sent, for more leaving than
    `guards.max_leaving_share` of those it has, and for a size that differs by more than `guards.max_size_change`.
    """
    query = "SELECT * FROM activation.fact_change WHERE campaign = $campaign AND destination = $destination"
    change = session.rows(query, campaign=activation.campaign, destination=activation.destination)[0]
    had, sent, left = change["before"], change["now"], change["has_left"]
    guards, name = activation.guards, f"{activation.campaign} to {activation.destination}"
    if not sent:
        raise ActivationStopped(_stopped(name, f"of the audience {activation.audience} nobody is to be sent"))
    if not had:
        return
    if left / had > guards.max_leaving_share:
        allowed = f"guards.max_leaving_share is {percent(guards.max_leaving_share)}"
        raise ActivationStopped(
            _stopped(name, f"{left:,} of {had:,} customers ({percent(left / had)}) leave; {allowed}")
        )
    if abs(sent - had) / had > guards.max_size_change:
        allowed = f"guards.max_size_change is {percent(guards.max_size_change)}"
        by = f"{(sent - had) / had:+.0%}"
        raise ActivationStopped(
            _stopped(name, f"{sent:,} customers are to be sent, {by} from {had:,} last time; {allowed}")
        )


def _stopped(name: str, why: str) -> str:
    return f"{name} is stopped: {why}. If that is meant: clv activate … --confirm --accept-change"


@contextlib.contextmanager
def only_one(folder: Path, destination: str) -> Iterator[None]:
    """Hold a destination of this workbook. The operating system lets go of it when the process ends, however it ends.

    Raises ActivationBusy, which names the process that holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{destination}.lock").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read().strip() or "another"
            raise ActivationBusy(
                f"{destination}: process {holder} is handing over to it; run again when it is done"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
