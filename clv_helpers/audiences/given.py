"""Whom an audience's SQL gives, or its list: guarded, looked up among the customers, and counted.

Either becomes the temporary table `given`, with customer_id; the rest of the audience is compiled as ever.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import NamedTuple

import duckdb
from sqlglot import exp

from clv_helpers.audiences import audience_files
from clv_helpers.audiences.compile import GIVEN
from clv_helpers.audiences.rule import Audience
from clv_helpers.config.datasets import EMAIL_NAMESPACE, PRIMARY_IDENTITY
from clv_helpers.config.sources import Source
from clv_helpers.config.validation import ParamsError, Problem
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import cast, column, expression, parse, table, to_sql
from clv_helpers.engines.guarded_query import BEGINNINGS, QueryError, limited, parse_select
from clv_helpers.engines.session import Session
from clv_helpers.ingest.raw_file import UnreadableFile
from clv_helpers.ingest.readable import readable

ANSWER = "SELECT DISTINCT CAST(customer_id AS TEXT) AS customer_id FROM $answer AS a"
STRANGERS = f"""
    SELECT COUNT(*) AS n FROM {GIVEN} AS g LEFT JOIN profile.customer AS p ON p.customer_id = g.customer_id
    WHERE p.customer_id IS NULL
"""
# An id that was joined to another one since is that customer.
BY_ID = """
    SELECT l.value, p.customer_id FROM listed AS l LEFT JOIN $joined AS j ON j.source_customer_id = l.value
    JOIN profile.customer AS p ON p.customer_id = COALESCE(j.customer_id, l.value)
"""
BY_IDENTITY = """
    SELECT l.value, p.customer_id FROM listed AS l
    JOIN profile.identity AS i ON i.namespace = $namespace AND $identity = l.value
    JOIN profile.customer AS p ON p.customer_id = i.customer_id
"""
NOBODY = "SELECT CAST(NULL AS TEXT) AS source_customer_id, CAST(NULL AS TEXT) AS customer_id WHERE FALSE"


class Matched(NamedTuple):
    """How many values of a list are customers, how many are unknown, and how many are named again."""

    file: str
    header: str
    matched: int
    unknown: int
    twice: int

    def __str__(self) -> str:
        counts = f"{self.matched:,} matched, {self.unknown:,} unknown, {self.twice:,} twice"
        said = f"{self.file}, by {self.header}: {counts}"
        return f"{said}; who is unknown is in no audience" if self.unknown else said


class Listed(NamedTuple):
    """A list as its file holds it: its values without blanks and repetitions, and in which namespace they are."""

    file: Path
    header: str
    namespace: str  # empty: they are customer ids
    values: list[str]
    twice: int


def make_given(session: Session, workbook: Workbook, name: str, audience: Audience) -> str:
    """Make the temporary table `given` where an audience has SQL or a list; gives what came of a list, in words.

    Raises ParamsError for SQL that is not one SELECT of customer_id alone, or gives ids that nobody bears; for a list
    that cannot be read or has no column we know. QueryError where SQL fails halfway: the transaction with it.
    Cost: the SQL once; a list is read whole.
    """
    if audience.sql is not None:
        _run_sql(session, workbook, name, audience.sql)
    if audience.list_ is not None:
        return str(look_up(session, read_list(workbook, name, audience.list_)))
    return ""


def check_given(workbook: Workbook, name: str, audience: Audience) -> None:
    """Raise ParamsError for SQL or a list that `make_given` would refuse, as far as can be told without tables."""
    if audience.sql is not None:
        select_of(workbook, name, audience.sql)
    if audience.list_ is not None:
        read_list(workbook, name, audience.list_)


def files(workbook: Workbook) -> list[Path]:
    """The files beside the audiences' own from which some of them are given: lists, and SQL that a file holds."""
    found: list[Path] = []
    for name, audience in audience_files.load_usable(workbook)[0].items():
        with contextlib.suppress(ParamsError):  # one that is not there is told of where its audience is evaluated
            if audience.sql is not None and _names_file(audience.sql):
                found.append(_path(workbook, name, "sql", audience.sql.strip()))
            if audience.list_ is not None:
                found.append(_path(workbook, name, "list", audience.list_))
    return found


def select_of(workbook: Workbook, name: str, sql: str) -> exp.Query:
    """The one SELECT of an audience, from its file where it names one. Raises ParamsError."""
    text = _text(workbook, name, sql)
    try:
        query = parse_select(text, "sql")
    except QueryError as error:
        raise _refused(name, str(error)) from None
    names = query.named_selects
    if names != [PRIMARY_IDENTITY] and not query.is_star:
        raise _refused(name, _of_other_columns(names))
    return query


def _of_other_columns(names: list[str]) -> str:
    given = ", ".join(each or "one without a name" for each in names)
    return f"sql gives the columns {given}; allowed: {PRIMARY_IDENTITY} alone"


def _text(workbook: Workbook, name: str, sql: str) -> str:
    if not _names_file(sql):
        return sql
    try:
        return _path(workbook, name, "sql", sql.strip()).read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise _refused(name, f"sql is {sql.strip()!r}, no text; allowed: a file in UTF-8") from None


def _names_file(sql: str) -> bool:
    return sql.strip().endswith(".sql") and "\n" not in sql.strip() and sql.split()[0].upper() not in BEGINNINGS


def _path(workbook: Workbook, name: str, key: str, text: str) -> Path:
    file = workbook.path(text, f"audiences/{name}.yml, {key}")
    if not file.is_file():
        raise _refused(name, f"{key} is {text!r}, no file at {file}; allowed: a path relative to the params file")
    return file


def _refused(name: str, sentence: str) -> ParamsError:
    return ParamsError(f"audiences/{name}.yml", [Problem("", sentence, "")])


def _run_sql(session: Session, workbook: Workbook, name: str, sql: str) -> None:
    query, text = select_of(workbook, name, sql), _text(workbook, name, sql)
    try:
        with limited(session, text, "sql"):
            names = list(session.columns(query.subquery("answer")))
            if names == [PRIMARY_IDENTITY]:
                session.create_temporary(GIVEN, expression(ANSWER, answer=query))
                strangers = session.scalar(STRANGERS)
    except QueryError as error:
        _raise_if_ended(session, name, error)
        raise _refused(name, str(error)) from None
    if names != [PRIMARY_IDENTITY]:
        raise _refused(name, _of_other_columns(names))
    if strangers:
        customers = workbook.words.customers
        raise _refused(name, f"sql gives {strangers:,} ids of no {customers}; allowed: {customers} of profile.customer")


def _raise_if_ended(session: Session, name: str, error: QueryError) -> None:
    """Raise the error as it is where the engine has given the transaction up with it: nothing can go on."""
    try:
        session.scalar("SELECT 1 AS one")
    except session.errors:
        raise QueryError(f"audiences/{name}.yml: {error}") from None


def read_list(workbook: Workbook, name: str, text: str) -> Listed:
    """The values of a list's first column that we know: ids before e-mails and others. Raises ParamsError."""
    file, known = _path(workbook, name, "list", text), _known_columns(workbook)
    try:
        with readable(file, Source(path=str(file)), workbook.folder) as found, duckdb.connect() as connection:
            headers = {header.strip().casefold(): header for header in found.headers}
            header = next((headers[each] for each in known if each in headers), "")
            if not header:
                has, allowed = ", ".join(found.headers[:8]), ", ".join(known)
                raise _refused(name, f"list is {text!r}, with the columns {has}; allowed: one of {allowed}")
            query = exp.select(cast(column(header), "text").as_("value")).from_(found.scan())
            rows = connection.execute(to_sql(query)).fetchall()
    except UnreadableFile as error:
        raise _refused(name, f"list is {text!r}, which {error}") from None
    namespace = known[header.strip().casefold()]
    values = [_normal(value, namespace) for (value,) in rows if value and value.strip()]
    once = list(dict.fromkeys(values))
    return Listed(file, header, namespace, once, len(values) - len(once))


def _normal(value: str, namespace: str) -> str:
    return value.strip().lower() if namespace == EMAIL_NAMESPACE else value.strip()


def _known_columns(workbook: Workbook) -> dict[str, str]:
    """By header in small letters, ours and the sources', the namespace of what it holds; empty for customer ids."""
    known = {PRIMARY_IDENTITY: ""}
    contracts = [workbook.params.contract(dataset) for dataset in ("customers", "purchases")]
    columns = [each for contract in contracts for each in contract.values()]
    for wants_id in (True, False):
        for each in columns:
            if (each.name == PRIMARY_IDENTITY) == wants_id and (wants_id or each.identity):
                names = dict.fromkeys([each.name, each.header, *each.alternatives, each.identity])
                known = {one.casefold(): "" if wants_id else each.identity for one in names if one} | known
    return dict(sorted(known.items(), key=lambda item: (item[1] != "", item[0])))


def look_up(session: Session, listed: Listed) -> Matched:
    """Make `given` of a list; gives how many of its values are customers."""
    import pandas as pd

    session.load_frame("listed", pd.DataFrame({"value": pd.Series(listed.values, dtype="object")}))
    if listed.namespace:
        identity = expression("TRIM($identity)", identity=exp.column("identity", table="i"))
        identity = exp.Lower(this=identity) if listed.namespace == EMAIL_NAMESPACE else identity
        matched = expression(BY_IDENTITY, namespace=listed.namespace, identity=identity)
    else:
        known = "profile.joined_customer"
        matched = expression(BY_ID, joined=table(known) if session.has_table(known) else parse(NOBODY))
    session.create_temporary("matched", matched)
    session.create_temporary(GIVEN, parse("SELECT DISTINCT customer_id FROM matched"))
    found = session.scalar("SELECT COUNT(DISTINCT value) AS n FROM matched")
    return Matched(listed.file.name, listed.header, found, len(listed.values) - found, listed.twice)
