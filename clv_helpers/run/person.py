"""Who a person is in this workbook, and which rows of which tables are theirs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqlglot import exp

from clv_helpers.config.datasets import PRIMARY_IDENTITY
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import column, expression, is_in, literal, table
from clv_helpers.engines.session import Session
from clv_helpers.errors import UserError
from clv_helpers.ingest.identities import JOINED

# From so many letters on a mark is told from chance wherever it stands; a shorter one, and one of digits alone, counts
# only where the customer number stands.
DISTINCT = 6
# Free text of records, which stay when it is taken out of them.
REMARKS = {"lake.batch_log": "reason", "lake.batches": "reason", "schedule.refresh_run": "sentence"}
RAW = "lake.rejected_rows"


class PersonError(UserError):
    """A person who is not known here, or not the only one."""


@dataclass(frozen=True)
class Person:
    """A customer: the number, and by which further values a row or a text names this one and nobody else.

    `identities`: namespace → values. `shared`: how many values other customers have as well; they do not count here.
    `also`: further numbers that were joined to this one.
    """

    customer_id: str
    identities: dict[str, list[str]]
    shared: int = 0
    also: list[str] = field(default_factory=list)

    @property
    def numbers(self) -> list[str]:
        """All customer numbers under which something may be kept."""
        return [self.customer_id, *self.also]

    @cached_property
    def words(self) -> list[str]:
        """The values that name this person wherever they stand: no short ones, none of digits alone."""
        marks = [*self.numbers, *(value for values in self.identities.values() for value in values)]
        return list(dict.fromkeys(mark for mark in marks if len(mark) >= DISTINCT and not mark.isdigit()))

    @cached_property
    def pattern(self) -> str:
        """A regular expression (of RE2 and Python) that finds one of the words in a text; empty where there is none."""
        words = "|".join(map(re.escape, self.words))
        return rf"(?i)(?:^|[^0-9A-Za-z_])(?:{words})(?:$|[^0-9A-Za-z_])" if words else ""

    @cached_property
    def pattern_of_number(self) -> str:
        """The same for the customer number alone, which by chance may be a part of something else."""
        numbers = "|".join(map(re.escape, self.numbers))
        return rf"(?:^|[^0-9A-Za-z_.])(?:{numbers})(?:$|[^0-9A-Za-z_.])"


def find(session: Session, workbook: Workbook, given: str) -> Person:
    """The person with this customer number, or with an identity (an e-mail address) that one customer alone has.

    Raises PersonError for one who is unknown, and for an address that leads to several numbers.
    """
    number = _joined_to(session, given) or (
        given if _is_known(session, given) else _by_identity(session, workbook, given)
    )
    identities: dict[str, list[str]] = {}
    shared = 0
    for namespace, source, name in _identity_columns(session, workbook):
        rows = session.rows(
            "SELECT $name AS value, COUNT(DISTINCT customer_id) AS people FROM $source AS s WHERE $name IN "
            "(SELECT $name FROM $source AS t WHERE customer_id = $number AND TRIM($name) <> '') GROUP BY $name",
            name=column(name), source=table(source), number=number,
        )  # fmt: skip
        identities.setdefault(namespace, []).extend(row["value"] for row in rows if row["people"] == 1)
        shared += sum(row["people"] > 1 for row in rows)
    if names := _name_of_one(session, number):
        identities["name"] = names
    found = {key: sorted(set(values)) for key, values in identities.items() if values}
    return Person(number, found, shared, _joined_ids(session, number))


def _joined_to(session: Session, given: str) -> str:
    """The number of the customer to whom an id was joined; empty where it was not."""
    rows = _joined(session, "SELECT customer_id AS id FROM $joined AS j WHERE source_customer_id = $given", given)
    return rows[0] if rows else ""


def _joined_ids(session: Session, number: str) -> list[str]:
    return _joined(
        session, "SELECT source_customer_id AS id FROM $joined AS j WHERE customer_id = $given ORDER BY id", number
    )


def _joined(session: Session, query: str, given: str) -> list[str]:
    if not session.has_table(JOINED):
        return []
    return [row["id"] for row in session.rows(query, joined=table(JOINED), given=given)]


def _is_known(session: Session, number: str) -> bool:
    mine = exp.EQ(this=column(PRIMARY_IDENTITY), expression=literal(number))
    tables = [name for name in session.tables() if PRIMARY_IDENTITY in session.columns(table(name))]
    return any(session.rows(exp.select("1").from_(table(name)).where(mine).limit(1)) for name in tables)


def _by_identity(session: Session, workbook: Workbook, given: str) -> str:
    numbers: set[str] = set()
    for _, source, name in _identity_columns(session, workbook):
        found = "SELECT DISTINCT customer_id FROM $source AS s WHERE LOWER(TRIM($name)) = LOWER(TRIM($given))"
        numbers |= {
            row["customer_id"] for row in session.rows(found, source=table(source), name=column(name), given=given)
        }
    if len(numbers) > 1:
        raise PersonError(
            f"{workbook.name}: {len(numbers)} customers have this identity; allowed: the customer number of one of them"
        )
    if not numbers:
        raise PersonError(
            f"{workbook.name}: nobody is known by this number or address; allowed: a customer number as it came in, "
            "or an e-mail address that one customer has"
        )
    return numbers.pop()


def _identity_columns(session: Session, workbook: Workbook) -> Iterator[tuple[str, str, str]]:
    """Namespace, table and column of each identity beside the number that came in."""
    for dataset in workbook.params.datasets:
        name = f"lake.{dataset}"
        present = session.columns(table(name)) if session.has_table(name) else {}
        for each in workbook.params.contract(dataset).values():
            if each.identity and each.name != PRIMARY_IDENTITY and each.name in present and PRIMARY_IDENTITY in present:
                yield each.identity, name, each.name


def _name_of_one(session: Session, number: str) -> list[str]:
    """First and last names under which no other customer is known."""
    if not session.has_table("lake.customers"):
        return []
    names = session.rows(
        "WITH named AS (SELECT customer_id, TRIM(first_name) || ' ' || TRIM(last_name) AS name FROM lake.customers "
        "WHERE TRIM(first_name) <> '' AND TRIM(last_name) <> '') SELECT name FROM named WHERE name IN "
        "(SELECT name FROM named WHERE customer_id = $number) GROUP BY name HAVING COUNT(DISTINCT customer_id) = 1",
        number=number,
    )
    return [row["name"] for row in names]


def rows_of(session: Session, person: Person, perhaps: bool = False) -> Iterator[tuple[str, exp.Expression]]:
    """Each table and view that may hold rows of the person, with the condition that they meet.

    By the customer number where a table has it; elsewhere by any text that is one of the person's words. Of rejected
    rows, which are raw, and of the remarks in records also by a word within the text. `perhaps`: of rejected rows
    those, too, that may be somebody else's, as the number stands in them.
    """
    lower = [word.lower() for word in person.words]
    for name in session.tables():
        kinds = session.columns(table(name))
        if PRIMARY_IDENTITY in kinds:
            yield name, is_in(column(PRIMARY_IDENTITY), person.numbers)
            continue
        texts = [column(key) for key, kind in kinds.items() if kind == "VARCHAR"]
        tests: list[exp.Expression] = [is_in(exp.Lower(this=exp.Trim(this=text)), lower) for text in texts if lower]
        if name in REMARKS and person.pattern:
            tests.append(within(column(REMARKS[name]), person.pattern))
        if name == RAW:
            patterns = [person.pattern, person.pattern_of_number if perhaps else ""]
            tests += [within(column("value"), pattern) for pattern in patterns if pattern]
        if tests:
            yield name, exp.or_(*tests)  # type: ignore[misc]  # as dialect.parse


def within(text: exp.Expr, pattern: str) -> exp.Expression:
    """Whether a pattern is found in a text."""
    return expression("COALESCE(REGEXP_MATCHES($text, $pattern), FALSE)", text=text, pattern=pattern)


def count_rows(session: Session, person: Person, perhaps: bool = False) -> dict[str, int]:
    """How many rows of the person each table has; none of tables without any."""
    counted = {
        name: session.count(exp.select("*").from_(table(name)).where(condition).subquery("r"))
        for name, condition in rows_of(session, person, perhaps)
    }
    return {name: rows for name, rows in counted.items() if rows}


def handed_over(session: Session, person: Person) -> list[dict[str, Any]]:
    """Where data of the person went, by the ledger: campaign, destination, status and moment (UTC)."""
    if not session.has_table("activation.ledger"):
        return []
    return session.rows(
        "SELECT campaign, audience, destination, status, settled_at FROM activation.ledger "
        "WHERE $is_theirs AND (NOT delivered_hash IS NULL OR status IN ('in doubt', 'intended')) "
        "ORDER BY settled_at, campaign, destination",
        is_theirs=is_in(column(PRIMARY_IDENTITY), person.numbers),
    )
