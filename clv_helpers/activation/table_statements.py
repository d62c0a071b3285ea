"""The statements that keep a database's table like an audience, as trees: sqlglot writes them in its dialect."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot import exp

from clv_helpers.engines.dialect import column, literal, table

# The rows of a part in temporary tables, as text and then in the types of the target; and whether they have exited.
RECEIVED, STAGED, EXITED = "clv_received", "clv_staged", "_exited"
# A note per part, in a table beside the target: what has one has arrived, and arrives no second time.
DELIVERIES = "clv_delivery"
LEFT_ON = "left_on"  # with `leavers: mark`, the day on which a customer has left
_TEXT = exp.DataType.build("TEXT")
TEXT_KEY = "VARCHAR(255)"  # MySQL keys no text without a length


@dataclass(frozen=True)
class TableStatements:
    """What is done with one table for one activation.

    `key` is the column of the customer's id, `columns` those that a row brings, the key among them; `own` what all rows
    of this activation hold (the campaign), `written` what each row that is written gets beside them.
    """

    dialect: str
    target: str
    key: str
    columns: list[str]
    own: dict[str, str]
    written: dict[str, Any]

    @property
    def deliveries(self) -> str:
        """The table of deliveries, in the schema of the target."""
        return ".".join([*self.target.split(".")[:-1], DELIVERIES])

    def create(self, columns: dict[str, exp.DataType]) -> exp.Create:
        """The table where it is absent: its columns, and the campaign and the customer as its key."""
        return self._create(self.target, columns, [*self.own, self.key])

    def create_deliveries(self) -> exp.Create:
        """The table of deliveries where it is absent."""
        kinds = {**dict.fromkeys(("delivery", "attempt", "written_to"), TEXT_KEY), "customers": "BIGINT"}
        columns = {name: exp.DataType.build(kind) for name, kind in {**kinds, "delivered_at": "DATETIME"}.items()}
        return self._create(self.deliveries, columns, ["delivery"])

    def _create(self, name: str, columns: dict[str, exp.DataType], key: list[str]) -> exp.Create:
        """A table whose texts tell capital letters apart, as the lake's do, also where the database's own would not."""
        given = exp.ColumnConstraint(kind=exp.NotNullColumnConstraint())
        defined: list[exp.Expr] = [
            exp.ColumnDef(
                this=exp.to_identifier(header, quoted=True),
                kind=kind,
                constraints=[given.copy()] if header in key else [],
            )
            for header, kind in columns.items()
        ]
        defined.append(exp.PrimaryKey(expressions=[column(header) for header in key]))
        return exp.Create(
            this=exp.Schema(this=table(name), expressions=defined),
            kind="TABLE",
            exists=True,
            properties=exp.Properties(expressions=self._exact()),
        )

    @property
    def staged(self) -> list[str]:
        """The columns of the temporary tables."""
        return [*self.columns, EXITED]

    def receive(self) -> exp.Create:
        """An empty temporary table of texts."""
        texts = [exp.ColumnDef(this=exp.to_identifier(name, quoted=True), kind=_TEXT.copy()) for name in self.staged]
        return exp.Create(
            this=exp.Schema(this=table(RECEIVED), expressions=texts),
            kind="TABLE",
            properties=exp.Properties(expressions=[exp.TemporaryProperty(), *self._exact()]),
        )

    def _exact(self) -> list[exp.Expr]:
        """What makes a table of MySQL's take every letter, and tell capital letters apart."""
        if self.dialect != "mysql":
            return []
        letters = exp.CharacterSetProperty(this=exp.var("utf8mb4"), default=True)
        return [letters, exp.CollateProperty(this=exp.var("utf8mb4_bin"))]

    def convert(self, kinds: Mapping[str, exp.DataType | None]) -> exp.Insert:
        """Take the rows over in the types of the target. MySQL and SQLite cast what is put into a column themselves."""
        casts = {} if self.dialect in ("mysql", "sqlite") else {**kinds, EXITED: exp.DataType.build("INT")}
        values = [exp.cast(column(name), kind) if (kind := casts.get(name)) else column(name) for name in self.staged]
        headers = [exp.to_identifier(name, quoted=True) for name in self.staged]
        return exp.insert(exp.select(*values).from_(table(RECEIVED)), table(STAGED), columns=headers)

    def count(self) -> exp.Select:
        """How many customers are staged."""
        return exp.select(exp.func("COUNT", exp.Star()).as_("customers")).from_(table(STAGED))

    def stage(self) -> exp.Create:
        """An empty temporary table of the target's own types, all of whose columns may be without a value."""
        columns = [_of("t", header).as_(header, quoted=True) for header in self.columns]
        one = exp.select(literal(1).as_("one")).subquery("o")
        never = exp.EQ(this=literal(1), expression=literal(0))
        rows = exp.select(*columns, exp.cast(literal(0), "INT").as_(EXITED)).from_(one).where(never)
        return exp.Create(
            this=table(STAGED),
            kind="TABLE",
            expression=rows.join(exp.alias_(table(self.target), "t", table=True), on=never.copy(), join_type="left"),
            properties=exp.Properties(expressions=[exp.TemporaryProperty()]),
        )

    def once_each(self) -> exp.Expr:
        """Refuses two staged rows that the database takes for the same customer; and finds them faster."""
        index = sqlglot.parse_one(f"CREATE UNIQUE INDEX {STAGED}_key ON {STAGED} (k)", dialect=self.dialect)
        for name in list(index.find_all(exp.Column)):
            name.replace(column(self.key))
        return index

    def claim(self, delivery: str, attempt: str, customers: int) -> exp.Expr:
        """Write a delivery down, unless it is; waits for another transaction that is just doing so."""
        now = dt.datetime.now(dt.UTC).replace(tzinfo=None).isoformat(" ", "seconds")
        values = (
            delivery,
            attempt,
            self.target,
            customers,
            now,
        )  # the moment as text: SQLite would cast it to a number
        insert = exp.insert(exp.values([tuple(map(literal, values))]), table(self.deliveries))
        if self.dialect == "mysql":
            insert.set("ignore", True)
        else:
            insert.set("conflict", exp.OnConflict(action=exp.var("DO NOTHING")))
        return insert

    def claimed_by(self, delivery: str) -> exp.Select:
        """Which attempt has written a delivery down."""
        return exp.select("attempt").from_(table(self.deliveries)).where(column("delivery").eq(literal(delivery)))

    def notes(self) -> exp.Select:
        """A note of the deliveries to this table, where there is one."""
        to_it = column("written_to").eq(literal(self.target))
        return exp.select("attempt").from_(table(self.deliveries)).where(to_it).limit(1)

    def upsert(self) -> list[exp.Expr]:
        """Bring the rows of those whom the table has up to date, and add the others."""
        same = _of("t", self.key).eq(_of("s", self.key))
        own = [_of("t", header).eq(literal(value)) for header, value in self.own.items()]
        constants = {**self.own, **self.written}
        sets = [column(header).eq(_of("s", header)) for header in self.columns if header != self.key]
        sets += [column(header).eq(literal(value)) for header, value in self.written.items()]
        target, staged = exp.alias_(table(self.target), "t", table=True), exp.alias_(table(STAGED), "s", table=True)
        stays = _of("s", EXITED).eq(literal(0))
        statements: list[exp.Expr] = []
        if sets:
            where = exp.Where(this=exp.and_(same, stays, *own))
            statements.append(exp.Update(this=target, expressions=sets, from_=exp.From(this=staged), where=where))
        there = exp.Exists(this=exp.select(literal(1)).from_(target.copy()).where(exp.and_(same, *own)))
        rows = exp.select(*(_of("s", header) for header in self.columns), *map(literal, constants.values()))
        rows = rows.from_(staged.copy()).where(exp.and_(stays, exp.not_(there)))
        headers = [exp.to_identifier(header, quoted=True) for header in (*self.columns, *constants)]
        return [*statements, exp.insert(rows, table(self.target), columns=headers)]

    def take_out(self, which: exp.Condition, marked: dict[str, Any] | None) -> exp.Expr:
        """Delete rows of this activation; with `marked`, give those not marked so far these values instead."""
        conditions = [which, *(column(header).eq(literal(value)) for header, value in self.own.items())]
        if marked is None:
            return exp.delete(table(self.target), where=exp.and_(*conditions))
        sets = [column(header).eq(literal(value)) for header, value in marked.items()]
        where = exp.Where(this=exp.and_(*conditions, column(LEFT_ON).is_(exp.null())))
        return exp.Update(this=table(self.target), expressions=sets, where=where)

    def has_exited(self) -> exp.Condition:
        """Whether a customer is staged as one who has exited."""
        gone = exp.select(column(self.key)).from_(table(STAGED)).where(column(EXITED).eq(literal(1)))
        return exp.In(this=column(self.key), query=gone.subquery())

    def is_staged(self) -> exp.Condition:
        """Whether a customer is staged."""
        return exp.In(this=column(self.key), query=exp.select(column(self.key)).from_(table(STAGED)).subquery())


def _of(alias: str, header: str) -> exp.Column:
    return exp.column(header, table=alias, quoted=True)
