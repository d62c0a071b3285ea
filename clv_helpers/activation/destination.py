"""What every destination does: say whether it answers, and take a part of a run."""

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
from clv_helpers.engines.dialect import literal, to_sql
from clv_helpers.engines.session import Session

CUSTOMER, OPERATION = "_customer", "_operation"  # beside the mapped columns: who it is, and join, update or leave


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
    """A piece of a run that is handed over at once. `spool` holds its rows once `prepare` has been called."""

    run: Run
    number: int
    spool: Path

    def rows(self) -> Iterator[dict[str, Any]]:
        """The people of this part: the mapped columns by their header, and `_customer` and `_operation`."""
        with duckdb.connect() as connection:
            cursor = connection.execute(f"SELECT * FROM read_parquet({to_sql(literal(str(self.spool)))})")
            names = [entry[0] for entry in cursor.description]
            while batch := cursor.fetchmany(1_000):
                yield from (dict(zip(names, row, strict=True)) for row in batch)


@dataclass
class Outcome:
    """What became of a part. `delivered` is None where all that is not named otherwise was delivered."""

    delivered: list[str] | None = None
    rejected: dict[str, str] = field(default_factory=dict)  # customer → reason
    in_doubt: dict[str, int] = field(default_factory=dict)  # customer → how often the reply was lost in this run
    name: str = ""
    rows: int = 0
    bytes: int = 0
    sha256: str = ""


class Destination(abc.ABC):
    """Base of all destinations; one object for one activation.

    `deliver` must leave the destination in the same state when it is called twice with the same part, as it is after
    a crash; where that cannot be, `recover` tells what had become of a part before.
    """

    Params: ClassVar[type[DestinationParams]] = DestinationParams
    sends_once: ClassVar[bool] = False  # a person who has had it never gets it again, even when their row has changed

    def __init__(self, workbook: Workbook, activation: Activation):
        self.workbook, self.activation = workbook, activation
        self.name = activation.destination
        self.params: Any = workbook.params.destinations[activation.destination]

    @property
    def takes_leavers(self) -> bool:
        """Whether customers who have left the audience are told to the destination."""
        return False

    @property
    def sends_again_in_doubt(self) -> bool:
        """Whether who is in doubt, as the reply was lost, is handed over again: at least once, or at most once."""
        return True

    @property
    def rows_per_part(self) -> int:
        """How many people are handed over at once at most."""
        return 100_000

    @abc.abstractmethod
    def check(self) -> str:
        """Try the connection; gives a sentence. Raises DestinationError."""

    @abc.abstractmethod
    def deliver(self, part: Part) -> Outcome:
        """Hand over a part whose rows are in its spool. The lake is not held. Raises DestinationError."""

    def prepare(self, session: Session, people: exp.Select, part: Part) -> None:
        """Write the part's rows to its spool, while the lake is held: as Parquet, unless a destination overrides it."""
        beside = part.spool.with_suffix(".beside")
        session.copy_to(people, beside, format="parquet")
        beside.replace(part.spool)

    def recover(self, part: Part) -> Outcome | None:
        """What became of a part that may have been handed over before a crash; None where delivering again is safe."""
        return None

    def finish(self, run: Run, parts: list[dict[str, Any]]) -> None:  # noqa: B027 (most have nothing to do)
        """Called once all parts are delivered; `parts` has a row per part: name, rows, bytes, sha256."""


def destination_class(kind: str) -> type[Destination]:
    """The class of a type of destination, ours or another package's. Cost: its module is imported once."""
    return destination_types()[kind].load()


def open_destination(workbook: Workbook, activation: Activation) -> Destination:
    """The destination of an activation."""
    return destination_class(workbook.params.destinations[activation.destination].type)(workbook, activation)


__all__ = ["Destination", "DestinationError", "DestinationParams", "Outcome", "Part", "Run"]
