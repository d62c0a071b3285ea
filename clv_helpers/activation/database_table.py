"""A table of a database that is kept like an audience: who is in it has a row, who leaves it is deleted or marked.

A part is put into a temporary table; then one transaction writes the note that it has arrived, and brings the table up
to date. A delivery that was cut short is therefore there, and known, or has left nothing.
"""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator
from sqlglot import exp

from clv_helpers.activation import ledger
from clv_helpers.activation.destination import DeliveredFile, Destination, Outcome, Part, Run
from clv_helpers.activation.table_statements import EXITED, LEFT_ON, RECEIVED, TableStatements
from clv_helpers.activation.table_types import Spool, columns_of, created, family, goes_into, known, spooled
from clv_helpers.config.datasets import MONEY
from clv_helpers.config.destinations import STATUS_FIELD, Activation, DestinationError, DestinationParams
from clv_helpers.config.params import expand
from clv_helpers.config.sources import has_password
from clv_helpers.config.validation import ParamsError, Problem
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.databases import Database, DatabaseError, opened
from clv_helpers.engines.dialect import DIALECT, column, literal, table
from clv_helpers.files import write_atomically

KEY_FIELD = "customer_id"
ALLOWED = "postgresql://, mysql://, mariadb://, sqlite:///file or duckdb:///file"


class TableParams(DestinationParams):
    """A table of a database. `columns` maps fields of the profile to its columns; the customer's id is the key."""

    type: Literal["table"]
    mode: Literal["incremental", "full"] = "incremental"
    database: str
    table: str = Field(pattern=r"^[^.\s]+(\.[^.\s]+)?$")
    leavers: Literal["delete", "mark"] = "delete"
    campaign_column: str = ""
    arm_column: str = ""
    rows_per_transaction: int = Field(default=1_000_000, ge=1)

    @model_validator(mode="after")
    def _fits_together(self) -> TableParams:
        if has_password(self.database):
            raise ValueError(
                "database is an address with a password; allowed: the address, or its password, as ${VARIABLE}"
            )
        if KEY_FIELD not in self.columns:
            raise ValueError(f"columns is without {KEY_FIELD}; allowed: with it, as rows are found by it")
        headers = [*self.columns.values(), *filter(None, (self.campaign_column, self.arm_column)), EXITED, LEFT_ON]
        if twice := [header for header in headers if headers.count(header) > 1]:
            raise ValueError(
                f"the column {twice[0]!r} is given twice; allowed: each once, and neither of {EXITED}, {LEFT_ON}"
            )
        return self


class _TakenBack(Exception):
    """Undoes a transaction."""


class DatabaseTable(Destination):
    """Rows are written by the customer's id, and deleted or marked when the customer leaves; a part arrives once."""

    Params = TableParams
    takes_exited = True

    def __init__(self, workbook: Workbook, activation: Activation):
        super().__init__(workbook, activation)
        self.key, self.rows_per_part = self.params.columns[KEY_FIELD], self.params.rows_per_transaction
        plans = [plan for plan in workbook.params.activations if plan.destination == self.name]
        if len(plans) > 1 and not self.params.campaign_column:
            allowed = "a column that tells campaigns apart, as more than one is sent to this table"
            problem = Problem(f"destinations.{self.name}.campaign_column", "not given", allowed)
            raise ParamsError(str(workbook.file), [problem])

    def check(self) -> str:
        """Sign in, and see whether the table, where there is one, has columns that take what is to go into them."""
        with self._connected() as database:
            there = columns_of(database, self.params.table)
            if there:
                self._compare(self._profile(), there, database.dialect)
        state = f"has the {len(self.params.columns)} columns" if there else "is created by the first delivery"
        return f"the database answers; {self.params.table} {state}"

    def deliver(self, part: Part) -> Outcome:
        """Write a part, in one transaction with the note that it has arrived."""
        return self._write(part, is_control=False)

    def recover(self, part: Part) -> Outcome | None:
        """Whether a part has arrived: its note is tried to write, which waits for an attempt that is not yet over."""
        with self._connected() as database:
            statements = self._statements(database.dialect)
            if not columns_of(database, statements.deliveries):
                return None
            with contextlib.suppress(_TakenBack), database.transaction():
                if not _claims(database, statements, part, 0):
                    kept = _rejects(part)
                    return Outcome(rejected=json.loads(kept.read_text("utf-8")) if kept.exists() else {})
                raise _TakenBack
        return None

    def finish(self, run: Run, files: list[DeliveredFile]) -> None:  # noqa: ARG002 (there are none)
        """Where the table has a column for it, write the control group, which other mailings are to leave alone."""
        if not (self.params.arm_column and self.activation.control):
            return
        part = Part(run, 0, self.workbook.folder / "activation" / run.run_id / "0.part")
        try:
            with self.workbook.engine.write(files=True) as session:
                self.prepare(session, ledger.control_rows(run, self.params), part)
            self._write(part, is_control=True)
        finally:
            self.clear(part)

    def _write(self, part: Part, is_control: bool) -> Outcome:
        with self._connected() as database, spooled(part.spool) as spool:
            statements = self._statements(database.dialect, "control" if is_control else "treated")
            kinds = self._table(database, statements, spool.columns)
            rejected = spool.misfits(kinds)
            write_atomically(_rejects(part), json.dumps(rejected))  # for `recover`: the database knows who has arrived
            customers = self._stage(database, statements, spool, kinds)
            with database.transaction():
                if is_control or _claims(database, statements, part, customers):
                    leaves = self._left_control(statements) if is_control else statements.has_exited()
                    for statement in (statements.take_out(leaves, self._marks(part.run)), *statements.upsert()):
                        database.run(statement)
        return Outcome(rejected=rejected)

    def _table(
        self, database: Database, statements: TableStatements, ours: Mapping[str, str]
    ) -> dict[str, exp.DataType | None]:
        """The types that the table has for our columns. It is created where it is absent, as is that of the notes."""
        there, dialect = columns_of(database, self.params.table), database.dialect
        database.run(statements.create_deliveries())
        if not there:
            self._was_never_there(database, statements)
            columns = {header: created(kind, dialect, header == self.key) for header, kind in ours.items()}
            columns |= {header: exp.DataType.build(kind) for header, kind in self._own_columns().items()}
            database.run(statements.create(columns))
            there = columns_of(database, self.params.table)
        self._compare(ours, there, dialect)
        return {header: known(there[header], dialect) for header in ours}

    def _was_never_there(self, database: Database, statements: TableStatements) -> None:
        """Raises DestinationError where a table is gone of which we count on what it holds."""
        if self.params.mode == "incremental" and database.rows(statements.notes()):
            said = f"{self.params.table} is gone, with what was written to it before"
            raise DestinationError(f"{self.name}: {said}; allowed: restored, or once mode: full, which writes everyone")

    def _stage(self, database: Database, statements: TableStatements, spool: Spool, kinds: Mapping[str, Any]) -> int:
        """Put the rows into a temporary table of the table's types; gives how many."""
        database.run(statements.receive())
        database.load(RECEIVED, statements.staged, spool.rows(self.key, kinds))
        database.run(statements.stage())
        database.run(statements.convert(kinds))
        try:
            database.run(statements.once_each())
        except DatabaseError:
            said = f"{self.params.table}.{self.key} takes two customers' ids for one"
            raise DestinationError(f"{self.name}: {said} (capital letters, blanks or leading zeros)") from None
        (staged,) = database.rows(statements.count())
        return int(staged["customers"])

    def _compare(self, ours: Mapping[str, str], there: Mapping[str, str], dialect: str) -> None:
        """Raises DestinationError where the table lacks a column, or one of it does not take what goes into it."""
        for header, kind in {**ours, **self._own_columns()}.items():
            place = f"{self.name}: {self.params.table}"
            if header not in there:
                raise DestinationError(f"{place} has no column {header}; its columns: {', '.join(there)}")
            goes, takes = family(known(kind, DIALECT)), family(known(there[header], dialect))
            if not goes_into(goes, takes, header == self.key):
                raise DestinationError(
                    f"{place}.{header} is {there[header]}, which takes {takes}; {goes} are to go into it"
                )

    def _profile(self) -> dict[str, str]:
        """The columns under their headers with the types that they have in the profile as published."""
        with self.workbook.engine.read() as session:
            kinds = session.columns(table("profile.customer"))
        kinds |= {STATUS_FIELD: "VARCHAR", **{field: "DECIMAL(18, 2)" for field in MONEY if field in kinds}}
        return {header: kinds[field] for field, header in self.params.columns.items() if field in kinds}

    def _own_columns(self) -> dict[str, str]:
        """The columns beside the mapped ones, with their types."""
        params = self.params
        texts = dict.fromkeys(filter(None, (params.campaign_column, params.arm_column)), "VARCHAR(60)")
        return {**texts, **({LEFT_ON: "DATE"} if params.leavers == "mark" else {})}

    def _statements(self, dialect: str, arm: str = "") -> TableStatements:
        params = self.params
        return TableStatements(
            dialect=dialect,
            target=params.table,
            key=self.key,
            columns=list(params.columns.values()),
            own={params.campaign_column: self.activation.campaign} if params.campaign_column else {},
            written={
                **({params.arm_column: arm} if params.arm_column else {}),
                **({LEFT_ON: None} if params.leavers == "mark" else {}),
            },
        )

    def _left_control(self, statements: TableStatements) -> exp.Condition:
        """Who is in the table as control, and no more so: all who are, are staged."""
        return exp.and_(column(self.params.arm_column).eq(literal("control")), exp.not_(statements.is_staged()))

    def _marks(self, run: Run) -> dict[str, str] | None:
        """What is written to the row of one who has left; None: it is deleted."""
        if self.params.leavers == "delete":
            return None
        status, values = self.params.columns.get(STATUS_FIELD), self.params.status_values
        return {LEFT_ON: run.as_of.isoformat(), **({status: values.get("exited", "exited")} if status else {})}

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Database]:
        place = f"destinations.{self.name}.database"
        try:
            with opened(expand(self.params.database), place, writable=True) as database:
                if database.dialect == "redshift":  # whose keys refuse nothing, so that a note could be there twice
                    raise DestinationError(f"{place} is of the kind redshift://; allowed: {ALLOWED}")
                if database.dialect == "postgres":
                    database.run("SET TIME ZONE 'UTC'")  # the moments of the lake, which do not say so
                yield database
        except KeyError as error:
            raise DestinationError(f"{place}: the environment variable {error.args[0]} is not set") from None
        except DatabaseError as error:
            raise DestinationError(str(error)) from None


def _rejects(part: Part) -> Path:
    """The file of those who were rejected in the last attempt at a part, with the reasons."""
    return part.spool.with_suffix(".rejected")


def _claims(database: Database, statements: TableStatements, part: Part, customers: int) -> bool:
    """Write the note of a part within a transaction; False where an earlier attempt has written it."""
    delivery, attempt = f"{part.run.run_id}-{part.number}", uuid.uuid4().hex
    database.run(statements.claim(delivery, attempt, customers))
    (note,) = database.rows(statements.claimed_by(delivery))
    return note["attempt"] == attempt
