"""From what each table was last built, and what stands in the lake now: read once per refresh."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from clv_helpers.config.same import Same
from clv_helpers.config.tables import is_dataset
from clv_helpers.engines.dialect import cast, column, is_in, literal, to_sql
from clv_helpers.engines.session import Session
from clv_helpers.models.table_file import Table

CHECKPOINT = "lake.checkpoint"
COLUMNS = {
    "table_name": "text",
    "definition": "text",
    "inputs": "text",
    "as_of": "date",
    "refreshed_at": "timestamp",
}
# The newest batch of a dataset, and how many were reverted: rows come to the lake and leave it by batches.
BATCHES = """
    SELECT dataset, MAX(CASE WHEN status = 'success' THEN _batch_id END) AS newest,
        COUNT(CASE WHEN status = 'reverted' THEN 1 END) AS reverted
    FROM lake.batch_log
    GROUP BY dataset
"""


@dataclass(frozen=True)
class Checkpoint:
    """From what a table was built: its query (hashed), the version of each input, and as_of where the query asks it."""

    definition: str
    inputs: dict[str, Any]
    as_of: dt.date | None

    @property
    def is_complete(self) -> bool:
        """Whether the version of every input is known."""
        return None not in self.inputs.values()


def build_anew(session: Session) -> None:
    """Let the next refresh build every table from nothing: rows left the lake otherwise than by a batch."""
    session.create_if_absent(CHECKPOINT, COLUMNS)
    session.run("DELETE FROM lake.checkpoint WHERE TRUE")


@functools.lru_cache(maxsize=1_000)
def _asked(query: Same[exp.Query]) -> tuple[bool, str]:
    """Whether a query asks for as_of, and the hash of its text."""
    asks = any(node.name == "as_of" for node in query.thing.find_all(exp.Placeholder))
    return asks, hashlib.sha256(to_sql(query.thing).encode()).hexdigest()


@dataclass
class LakeState:
    """What a refresh goes by. Whoever changes a table says so, by `note`; nothing else changes meanwhile."""

    session: Session
    bindings: dict[str, Any]
    versions: dict[str, str | None]
    batches: dict[str, list[int | None]]
    checkpoints: dict[str, Checkpoint]
    written: dict[str, Checkpoint] = field(default_factory=dict)

    @classmethod
    def read(cls, session: Session, bindings: dict[str, Any]) -> LakeState:
        """The state of the lake within this session."""
        session.create_if_absent(CHECKPOINT, COLUMNS)
        checkpoints = {
            row["table_name"]: Checkpoint(row["definition"], json.loads(row["inputs"]), row["as_of"])
            for row in session.rows("SELECT * FROM lake.checkpoint")
        }
        rows = session.rows(BATCHES) if session.has_table("lake.batch_log") else []
        batches = {f"lake.{row['dataset']}": [row["newest"], row["reverted"]] for row in rows}
        return cls(session, bindings, session.versions(), batches, checkpoints)

    def note(self, name: str) -> None:
        """Read the version of a table that was just written."""
        self.versions[name] = self.session.version(name)

    def now(self, model: Table) -> Checkpoint:
        """From what a table would be built now; of its query's `$names`, as_of alone is not bound."""
        inputs = {
            name: self._batches_of(name) if name.startswith("lake.") else self.versions.get(name)
            for name in sorted(model.depends_on)
        }
        asks, definition = _asked(Same(model.query))
        return Checkpoint(definition, inputs, self.bindings["as_of"] if asks else None)

    def _batches_of(self, name: str) -> list[int | None]:
        """Of a dataset its own batches; of the records beside them those of all."""
        if is_dataset(name):
            return self.batches.get(name, [None, 0])
        newest = [batch for batch, _ in self.batches.values() if batch is not None]
        return [max(newest, default=None), sum(reverted or 0 for _, reverted in self.batches.values())]

    def write(self, name: str, checkpoint: Checkpoint) -> None:
        """Note from what a table was built just now, for `keep`."""
        self.note(name)
        self.written[name] = checkpoint

    def keep(self) -> None:
        """Keep what was noted of all tables that were built."""
        write_checkpoints(self.session, self.written)
        self.written = {}


def write_checkpoints(session: Session, written: dict[str, Checkpoint]) -> None:
    """Put these in the place of the tables' checkpoints."""
    if not written:
        return
    session.run("DELETE FROM lake.checkpoint WHERE $these", these=is_in(column("table_name"), list(written)))
    at = literal(dt.datetime.now(dt.UTC).replace(tzinfo=None))
    rows = [
        (name, each.definition, json.dumps(each.inputs), cast(literal(each.as_of), "date"), at)
        for name, each in written.items()
    ]
    listed = exp.select(*COLUMNS).from_(exp.values(rows, alias="c", columns=list(COLUMNS)))
    session.run("INSERT INTO lake.checkpoint SELECT * FROM $rows AS r", rows=listed)
