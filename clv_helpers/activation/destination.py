"""The base of all destinations, and what is passed to them and comes back: runs, parts, outcomes."""

from __future__ import annotations

import abc
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import duckdb
from sqlglot import exp

from clv_helpers.config.destinations import Activation, DestinationError, DestinationParams, destination_types
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.session import Session

# Beside the mapped columns: who it is, and whether they are new to the audience there, stay in it or have left it:
# realized, existing or exited.
CUSTOMER, MEMBERSHIP = "_customer", "_membership"


@dataclass(frozen=True)
class Run:
    """One activation under way. It keeps its id and its time when it is taken up again after a crash."""

    run_id: str
    campaign: str
    audience: str
    destination: str
    as_of: dt.date
    started_at: dt.datetime
    parts: int


@dataclass(frozen=True)
class Part:
    """A piece of a run that is delivered at once. `spool` holds its rows once `prepare` has been called."""

    run: Run
    number: int
    spool: Path

    def rows(self) -> Iterator[dict[str, Any]]:
        """The customers of this part: the mapped columns by their header, and `_customer` and `_membership`."""
        with duckdb.connect() as connection:
            spooled = connection.read_parquet(str(self.spool))
            while batch := spooled.fetchmany(1_000):
                yield from (dict(zip(spooled.columns, row, strict=True)) for row in batch)


@dataclass(frozen=True)
class DeliveredFile:
    """A file as it was delivered."""

    name: str
    rows: int
    bytes: int
    sha256: str


@dataclass
class Outcome:
    """What became of a part. `delivered` is None where all that is not named otherwise was delivered."""

    delivered: list[str] | None = None
    rejected: dict[str, str] = field(default_factory=dict)  # customer → reason
    in_doubt: dict[str, int] = field(default_factory=dict)  # customer → how often the reply was lost in this run
    file: DeliveredFile | None = None


class Destination(abc.ABC):
    """Base of all destinations; one object for one activation.

    `deliver` must leave the destination in the same state when it is called twice with the same part, as it is after
    a crash; where that cannot be, `recover` finds out what had become of a part before.
    """

    Params: ClassVar[type[DestinationParams]] = DestinationParams
    takes_exited: bool = False  # whether customers who have left the audience are delivered too
    sends_again_in_doubt: bool = True  # whether who is in doubt, as the reply was lost, is delivered once more
    recovers_from_spool: bool = False  # whether `recover` reads it: else no row stays on the disk after a failure
    rows_per_part: int = 100_000  # how many customers are delivered at once at most

    def __init__(self, workbook: Workbook, activation: Activation):
        self.workbook, self.activation = workbook, activation
        self.name = activation.destination
        self.params: Any = workbook.params.destinations[activation.destination]  # of the class's Params

    @abc.abstractmethod
    def check(self) -> str:
        """Try the connection; gives a sentence. Raises DestinationError."""

    @abc.abstractmethod
    def deliver(self, part: Part) -> Outcome:
        """Deliver a part whose rows are in its spool. The lake is not held. Raises DestinationError."""

    def prepare(self, session: Session, rows: exp.Select, part: Part) -> None:
        """Write the part's rows to its spool, while the lake is held: as Parquet, unless a destination overrides it."""
        beside = part.spool.with_suffix(".beside")
        session.copy_to(rows, beside, format="parquet")
        beside.replace(part.spool)

    def recover(self, part: Part) -> Outcome | None:  # noqa: ARG002 (for those that override it)
        """What became of a part that may have been delivered before a crash; None where delivering again is safe."""
        return None

    def clear(self, part: Part) -> None:
        """Delete what lies on this machine of a part's rows, where it was not delivered."""
        for file in (part.spool, part.spool.with_suffix(".beside")):
            file.unlink(missing_ok=True)

    def finish(self, run: Run, files: list[DeliveredFile]) -> None:  # noqa: B027 (most have nothing to do)
        """Called once all parts are delivered, with their files where they have any."""


def destination_class(kind: str) -> type[Destination]:
    """The class of a type of destination, ours or another package's. Cost: its module is imported once."""
    return destination_types()[kind].load()


def open_destination(workbook: Workbook, activation: Activation) -> Destination:
    """The destination of an activation."""
    return destination_class(workbook.params.destinations[activation.destination].type)(workbook, activation)


__all__ = ["DeliveredFile", "Destination", "DestinationError", "DestinationParams", "Outcome", "Part", "Run"]
