"""Who was forgotten stays out: of a person a keyed hash is kept, by which later rows are told and set aside."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import os
import secrets
from typing import Any, NamedTuple

from sqlglot import exp

from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import expression, is_in, literal
from clv_helpers.engines.session import Session
from clv_helpers.errors import UserError

FORGOTTEN = "lake.forgotten"
REASON = "is of a person who was forgotten"
COLUMNS: dict[str, Any] = {"person_hash": "text", "key_id": "text", "forgotten_at": "timestamp"}
KEY_VARIABLE, KEY_FILE = "CLV_FORGET_KEY", "forgotten.key"
BLOCK = 64  # bytes, of SHA-256
# HMAC-SHA256 as the engine computes it, the same as Python's.
HMAC = "SHA256( UNHEX( $outer ) || UNHEX( SHA256( UNHEX( $inner ) || ENCODE( CAST( $value AS TEXT ) ) ) ) )"
# A line that is no row tells no columns: its words are tried.
UNREADABLE = """
    UPDATE staged SET _value = NULL, _reason = $reason
    WHERE _row < 0 AND EXISTS (
        SELECT 1 FROM (SELECT UNNEST(REGEXP_SPLIT_TO_ARRAY(_value, '[^0-9A-Za-z_@.+-]+')) AS word) AS words WHERE $test
    )
"""


class Forgotten(NamedTuple):
    """The hashes of a workbook's forgotten persons, and the key with which they were made."""

    key: bytes
    hashes: tuple[str, ...]

    def test(self, value: exp.Expr) -> exp.Expression:
        """Whether a customer id is of one who was forgotten. Cost: two SHA-256 per row."""
        block = (self.key if len(self.key) <= BLOCK else hashlib.sha256(self.key).digest()).ljust(BLOCK, b"\0")
        pads = {name: bytes(byte ^ pad for byte in block).hex() for name, pad in (("inner", 0x36), ("outer", 0x5C))}
        return is_in(expression(HMAC, value=value, **pads), list(self.hashes))

    def in_lines(self) -> exp.Expression:
        """The statement that sets aside lines of `staged` that are no rows and name one who was forgotten."""
        return expression(UNREADABLE, reason=REASON, test=self.test(exp.column("word")))


def read_forgotten(session: Session, workbook: Workbook) -> Forgotten | None:
    """Who was forgotten; None where nobody was. Raises UserError where the key of the hashes is not there."""
    rows = session.rows("SELECT * FROM lake.forgotten") if session.has_table(FORGOTTEN) else []
    if not rows:
        return None
    key = _key(workbook)
    if key is None or {row["key_id"] for row in rows} != {_key_id(key)}:
        raise UserError(
            f"{workbook.name}: {len(rows)} persons were forgotten, and the key by which they are told is not in "
            f"{workbook.folder / KEY_FILE}, nor in {KEY_VARIABLE}; allowed: the key of then, from a backup"
        )
    return Forgotten(key, tuple(row["person_hash"] for row in rows))


def remember_forgotten(session: Session, workbook: Workbook, customer_id: str) -> None:
    """Keep the hash of a customer id in lake.forgotten, once; the key is made where there is none."""
    session.create_if_absent(FORGOTTEN, COLUMNS)
    known = read_forgotten(session, workbook)
    key = known.key if known else _key(workbook) or _new_key(workbook)
    person = hmac.new(key, customer_id.encode(), "sha256").hexdigest()
    if known and person in known.hashes:
        return
    session.run(
        "INSERT INTO lake.forgotten SELECT $person, $key_id, $at",
        person=person,
        key_id=_key_id(key),
        at=literal(dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0)),
    )


def is_forgotten(session: Session, workbook: Workbook, customer_id: str) -> bool:
    """Whether a customer id is of one who was forgotten."""
    known = read_forgotten(session, workbook)
    return known is not None and hmac.new(known.key, customer_id.encode(), "sha256").hexdigest() in known.hashes


def _key(workbook: Workbook) -> bytes | None:
    given, file = os.environ.get(KEY_VARIABLE), workbook.folder / KEY_FILE
    if given:
        return given.encode()
    return file.read_text("utf-8").strip().encode() if file.exists() else None


def _new_key(workbook: Workbook) -> bytes:
    key = secrets.token_hex(32)
    with os.fdopen(os.open(workbook.folder / KEY_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(key)
        stream.flush()
        os.fsync(stream.fileno())
    return key.encode()


def _key_id(key: bytes) -> str:
    return hmac.new(key, b"which key", "sha256").hexdigest()[:8]
