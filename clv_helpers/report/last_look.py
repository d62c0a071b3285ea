"""The last look: before a file leaves, its finished text is searched for the workbook's customers, whatever wrote it.

Searched for are, exactly, from the lake: each customer number and each other identity that the params declare, e-mail
addresses (without their last label as well), first and last names together, and each text column of the customers data
most of whose values are one customer's alone (a phone, a street). In plain form, in another case or punctuation, with
HTML, JSON or URL escapes, as base64 or hexadecimal, as md5, sha1 or sha256.

Not searched for, as words and counts would stop every report: a first or a last name by itself; a full name in small
letters within a sentence; numbers and codes of fewer than five characters, or without a digit; digits alone, if fewer
than ten, where numbers stand (in data, in drawings of data, in columns of numbers, in tables that pandas shows or that
are printed), and numbers with a decimal point or thousands parted. All of these but the last are found where they stand
under the name or header of a column that identifies a customer. Pictures are not read, nor are free texts of events
looked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
from sqlglot import exp

from clv_helpers.config.datasets import PRIMARY_IDENTITY
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import cast, column, expression, table
from clv_helpers.engines.engine import NothingPublished
from clv_helpers.engines.session import Session
from clv_helpers.report.shown import DIGEST, DIGEST_BYTES, KEY, MAIL, PHRASE, WORD, Mark, Shown

NAMES = ("first_name", "last_name")
OWN_SHARE = 0.5  # of a column's values, one customer's alone: then each of them says who it is
WITHHELD = "what went wrong is withheld, as it names a customer"
# Marks that are a customer's: a value in plain form, where its length and form let nothing else be meant by it.
FOUND = r"""
    WITH d AS (
        SELECT DISTINCT $value AS held FROM $source AS s
    ),
    parted AS (
        SELECT held, CASE WHEN REGEXP_MATCHES(held, '[0-9@]') THEN '' ELSE ' ' END AS blank FROM d WHERE held <> ''
    ),
    v AS (
        SELECT held, TRIM(REGEXP_REPLACE(LOWER(held), '[^\p{L}\p{N}]+', blank, 'g')) AS bare FROM parted
    )
    SELECT DISTINCT m.kind, m.bare
    FROM v INNER JOIN marks AS m ON m.bare = v.bare
    WHERE m.kind = $key OR ($anywhere AND CASE
        WHEN m.kind = $mail THEN v.held LIKE '%@%'
        WHEN m.kind = $word THEN LENGTH(v.bare) >= 5
        WHEN m.kind = $phrase AND REGEXP_MATCHES(v.bare, '^[0-9]+$') THEN
            LENGTH(v.bare) >= 10 OR LENGTH(v.bare) >= 7 AND LENGTH(v.bare) < LENGTH(TRIM(v.held))
        WHEN m.kind = $phrase THEN LENGTH(v.bare) >= 5 AND (v.bare LIKE '% %' OR v.bare <> LOWER(TRIM(v.held)))
        ELSE FALSE
    END)
"""
DIGESTS = """
    SELECT DISTINCT m.kind, m.bare
    FROM (
        SELECT $digest AS bare FROM (
            SELECT DISTINCT $value AS held FROM $source AS s
            UNION SELECT DISTINCT LOWER(TRIM($value)) AS held FROM $source AS s
            UNION SELECT DISTINCT UPPER(TRIM($value)) AS held FROM $source AS s
        ) AS d
    ) AS v INNER JOIN marks AS m ON m.bare = v.bare
    WHERE m.kind = $kind
"""
OWN = """
    SELECT COUNT(DISTINCT $value) AS held, COUNT(DISTINCT customer_id) AS customers FROM $source AS s WHERE '' <> $value
"""
WITHOUT_LABEL = "CASE WHEN $value LIKE '%@%.%' THEN REGEXP_REPLACE($value, '[.][^.@]*$', '') END"
FULL_NAME = "CASE WHEN LENGTH($one) > 1 AND LENGTH($other) > 1 THEN $one || ' ' || $other END"


@dataclass(frozen=True)
class Identity:
    """What says who a customer is: a value of a table. `anywhere`: not only under the name of such a column."""

    what: str
    source: exp.Table
    value: exp.Expression
    anywhere: bool = True


class LastLook:
    """The last look of one workbook; it reads the lake as committed, or as published while a process writes to it."""

    def __init__(self, workbook: Workbook):
        self.workbook = workbook
        self.keys = frozenset(_key_names(workbook))
        self._clean: set[str] = set()  # texts of data that were looked at before

    def shown(self, text: str = "") -> Shown:
        """The marks of a text, to which more can be added."""
        shown = Shown(self.keys)
        shown.text(text)
        return shown

    def find(self, *places: Shown) -> list[tuple[int, str]]:
        """Which of these places show a customer, by their position, and what of the customer.

        Cost: a pass over each identity column of the lake, whatever the number of places.
        """
        found = self._looked_up(set().union(*(place.marks for place in places)))
        return [(i, found[mark]) for i, place in enumerate(places) for mark in sorted(place.marks & found.keys())[:1]]

    def hidden(self, text: str, asked: str = "") -> str:
        """A message, with … for each customer in it but those in `asked`.

        Example:
            >>> from clv_helpers.report.last_look import LastLook
            >>> LastLook(wb).hidden("row 7 of members.csv: M0000001 stands there twice")
            'row 7 of members.csv: … stands there twice'
        """
        known = self.shown(asked).marks
        try:
            for _ in range(3):
                found = self._looked_up(self.shown(text).marks - known)
                if not found:
                    return text
                for _, bare in sorted(found, key=lambda mark: -len(mark[1])):
                    text = re.sub(r"[\W_]*".join(map(re.escape, bare)), "…", text, flags=re.IGNORECASE)
        except duckdb.Error:  # the lake cannot be read: then nobody knows
            pass
        return WITHHELD

    def hidden_in(self, data: Any) -> Any:
        """Data, with … for each customer in its texts. Cost: none for texts that this object looked at before."""
        texts = set(_texts(data)) - self._clean
        shown = self.shown()
        for text in texts:
            shown.text(text)
        if not self.find(shown):
            self._clean |= texts
            return data
        hidden = {text: self.hidden(text) for text in texts}
        return _mapped(data, lambda text: hidden.get(text, text))

    def _looked_up(self, marks: set[Mark]) -> dict[Mark, str]:
        """Those of the marks that are a customer's, and what they are."""
        import pandas as pd

        if not marks:
            return {}
        try:
            with self.workbook.engine.read_latest() as session:
                session.load_frame("marks", pd.DataFrame(sorted(marks), columns=["kind", "bare"]))
                lengths = {len(bare) // 2 for kind, bare in marks if kind == DIGEST}
                return {
                    (row["kind"], row["bare"]): identity.what
                    for identity in _identities(session, self.workbook)
                    for query in _queries(identity, lengths)
                    for row in session.rows(query)
                }
        except NothingPublished:  # no batch is in: there is no customer yet
            return {}


def _texts(data: Any) -> Iterator[str]:
    """The texts in data, its keys among them."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict | list):
        for inner in [*data.keys(), *data.values()] if isinstance(data, dict) else data:
            yield from _texts(inner)


def _mapped(data: Any, change: Callable[[str], str]) -> Any:
    if isinstance(data, dict):
        return {_mapped(key, change): _mapped(value, change) for key, value in data.items()}
    if isinstance(data, list):
        return [_mapped(value, change) for value in data]
    return change(data) if isinstance(data, str) else data


def _queries(identity: Identity, lengths: set[int]) -> Iterator[exp.Expression]:
    """The look-ups of the table `marks` for one identity; digests are computed where one of their length is shown."""
    place = {"value": identity.value, "source": identity.source}
    kinds = {"key": KEY, "mail": MAIL, "word": WORD, "phrase": PHRASE}
    yield expression(FOUND, anywhere=identity.anywhere, **place, **kinds)
    for length in lengths if identity.anywhere else ():
        yield expression(DIGESTS, digest=expression(f"{DIGEST_BYTES[length]}(held)"), kind=DIGEST, **place)


def _identities(session: Session, workbook: Workbook) -> Iterator[Identity]:
    """All that says who a customer is, of the datasets that are in the lake."""
    for dataset in workbook.params.sources:
        source = table(f"lake.{dataset}")
        if not session.has_table(f"lake.{dataset}"):
            continue
        held = session.columns(source)
        for name, contract in workbook.params.contract(dataset).items():
            if name not in held:
                continue
            value = cast(column(name), "text")
            if name == PRIMARY_IDENTITY:
                yield Identity("a customer's number", source, value)
            elif dataset == "customers" and name in NAMES:
                yield Identity("a customer's name", source, value, anywhere=False)
            elif contract.identity or (dataset == "customers" and _is_own(session, source, value, contract.type)):
                what = f"a customer's {name.replace('_', ' ')}"
                yield Identity(what, source, value)
                yield Identity(what, source, expression(WITHOUT_LABEL, value=value))
        if dataset == "customers" and held.keys() >= set(NAMES):
            for one, other in (NAMES, NAMES[::-1]):
                full = expression(FULL_NAME, one=column(one), other=column(other))
                yield Identity("a customer's name", source, full)


def _is_own(session: Session, source: exp.Table, value: exp.Expression, kind: str) -> bool:
    """Whether a column of the customers data says who it is: a text, mostly another one for each customer."""
    if kind != "text":
        return False
    (counts,) = session.rows(OWN, value=value, source=source)
    return counts["held"] >= OWN_SHARE * max(counts["customers"], 1)


def _key_names(workbook: Workbook) -> Iterator[str]:
    """What columns that identify a customer are called: by us, in the files, at the destinations."""
    names = {PRIMARY_IDENTITY, "identity", "email", *NAMES}
    for dataset in workbook.params.sources:
        contract = workbook.params.contract(dataset)
        names |= {name for name, each in contract.items() if each.identity}
        yield from (each.header.lower() for name, each in contract.items() if name in names)
    for destination in workbook.params.destinations.values():
        yield from (header.lower() for name, header in destination.columns.items() if name in names)
    yield from names
