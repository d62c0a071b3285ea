"""Files as they go wrong: good ones of every kind, changed by a seeded hand, and how Python itself reads them."""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import gzip
import io
import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import duckdb
import openpyxl

HEADERS = ["receipt", "customer", "day", "spent", "note"]
NAMES = ["anna", "björn", "çelik", "D'Arcy", 'the "Duke"', "a, b", "00817", "x;y", "  pad ", "łódź", "emoji 😀"]
PLAIN_NUMBER = re.compile(r"[+-]?\d{1,9}(\.\d{1,4})?")
PLAIN_DAY = re.compile(r"(19|20)\d\d-\d\d-\d\d( \d\d:\d\d:\d\d)?")
ODD_NUMBERS = [
    "1e5",
    "0x1F",
    "1_000",
    "NaN",
    "-inf",
    "1.2.3",
    "",
    "--5",
    "9" * 40,
    "١٢",
    "12 EUR",
    "1,2",
    "=1+1",
    "(3)",
    "5-",
]
ODD_DAYS = ["0001-01-01", "9999-12-31", "2024-02-30", "2023-13-01", "31.12.2023", "", "infinity", "44-03-15 (BC)",
            "2024-01-01T25:00:00", "1700000000", "2024-01-01 10:00:00+99:00", "yesterday"]  # fmt: skip
Lines = list[list[str]]


@dataclass(frozen=True)
class Hostile:
    """One file: its name, what is in it, the encoding that the params name for it."""

    name: str
    data: bytes
    encoding: str = "utf-8"


def hostile_files(count: int, seed: int = 1) -> list[Hostile]:
    """So many files, the same ones for the same seed; each kind and each change comes early."""
    files = []
    for number in range(count):
        rng = random.Random(f"{seed} {number}")
        kind = ("csv", "csv", "csv", "csv.gz", "jsonl", "xlsx", "csv", "json", "csv", "parquet")[number % 10]
        file = Hostile(f"{number:03}.{kind}", b"")
        rows = _rows(rng, number)
        if rng.random() < 0.4:
            rng.choice(ROW_CHANGES)(rng, rows)
        file = WRITERS[kind](rng, rows, file) if kind in WRITERS else _as_csv(rng, rows, file)
        for _ in range(rng.choice((0, 1, 1, 1, 2))):
            change = rng.choice(BYTE_CHANGES if kind in ("xlsx", "parquet") else [*BYTE_CHANGES, *TEXT_CHANGES])
            file = replace(file, data=change(rng, file.data))
        if kind.endswith("gz"):
            file = replace(file, data=gzip.compress(file.data))
            if rng.random() < 0.5:
                file = replace(file, data=rng.choice(BYTE_CHANGES)(rng, file.data))
        files.append(file)
    return files


def _rows(rng: random.Random, file: int) -> Lines:
    day = dt.datetime(2022, 1, 1)
    return [
        [
            f"r{file}-{number}", rng.choice(NAMES) if number % 3 else f"c{rng.randrange(20)}",
            str(day + dt.timedelta(days=rng.randrange(700), seconds=rng.choice((0, rng.randrange(86_400))))),
            f"{rng.randrange(-2_000, 90_000) / 100:.2f}", rng.choice(["", "fine", "two\nlines", 'said "no"', "a,b;c"]),
        ]
        for number in range(rng.choice((1, 3, 40, 40, 400)))
    ]  # fmt: skip


# -- changes of rows ---------------------------------------------------------------------------------------------------


def _odd_number(rng: random.Random, rows: Lines) -> None:
    rng.choice(rows)[3] = rng.choice(ODD_NUMBERS)


def _odd_day(rng: random.Random, rows: Lines) -> None:
    rng.choice(rows)[2] = rng.choice(ODD_DAYS)


def _no_customer(rng: random.Random, rows: Lines) -> None:
    rng.choice(rows)[1] = rng.choice(["", "   ", "\u00a0"])


def _long_field(rng: random.Random, rows: Lines) -> None:
    rng.choice(rows)[4] = "x" * rng.choice((9_999, 200_000, 3_000_000))


def _wide_row(rng: random.Random, rows: Lines) -> None:
    rng.choice(rows).append("more")


def _short_row(rng: random.Random, rows: Lines) -> None:
    del rng.choice(rows)[rng.randrange(1, 5) :]


def _repeated_row(rng: random.Random, rows: Lines) -> None:
    rows.append(list(rng.choice(rows)))


ROW_CHANGES = [_odd_number, _odd_day, _no_customer, _long_field, _wide_row, _short_row, _repeated_row]


# -- good files --------------------------------------------------------------------------------------------------------


def _as_csv(rng: random.Random, rows: Lines, file: Hostile) -> Hostile:
    delimiter, end = rng.choice(",,;\t|"), rng.choice(["\n", "\n", "\r\n", "\r"])
    headers = _headers(rng)
    out = io.StringIO()
    writer = csv.writer(
        out, delimiter=delimiter, lineterminator=end, quoting=rng.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    )
    writer.writerows([headers, *rows])
    text = rng.choice(["", "", "", "", "\n", f"sep={delimiter}\n"]) + out.getvalue()
    written, told = rng.choice(ENCODINGS)
    if rng.random() < 0.1:  # some lie
        told = rng.choice(["utf-8", "utf-16", "cp1252"])
    return replace(file, data=text.encode(written, errors="replace"), encoding=told)


ENCODINGS = [("utf-8", "utf-8")] * 5 + [
    ("utf-8-sig", "utf-8"), ("utf-16", "utf-8"), ("utf-16", "utf-16"), ("utf-16-le", "utf-16"), ("utf-16-be", "utf-16"),
    ("cp1252", "cp1252"), ("cp1252", "utf-8"), ("utf-32", "utf-8"),
]  # fmt: skip


def _headers(rng: random.Random) -> list[str]:
    odd: list[Callable[[list[str]], list[str]]] = [
        lambda names: [*names[:4], "NOTE", "note"][:5], lambda names: [name.upper() for name in names],
        lambda names: [*names[:4], ""], lambda names: [*names[:4], "spent"], lambda names: [*names[:4], "Spent"],
        lambda names: [f" {name} " for name in names], lambda names: [*names[:4], "two\nlines"],
        lambda names: [*names[:4], 'quo"te'], lambda names: names[:4],
    ]  # fmt: skip
    return rng.choice(odd)(HEADERS) if rng.random() < 0.25 else HEADERS


def _as_objects(rng: random.Random, rows: Lines) -> list[dict[str, object]]:
    events: list[dict[str, object]] = [dict(zip(HEADERS, row, strict=False)) for row in rows]
    for event in events:
        if rng.random() < 0.1:
            event.pop(rng.choice(["note", "note", "customer"]), None)
        if rng.random() < 0.05:
            event["nested"] = {"a": [1, {"b": None}], "A": 2}
        if rng.random() < 0.05:
            event[f"key {rng.randrange(1000)}"] = True
        if PLAIN_NUMBER.fullmatch(str(event.get("spent", ""))) and rng.random() < 0.5:
            event["spent"] = float(str(event["spent"]))
    return events


def _as_lines(rng: random.Random, rows: Lines, file: Hostile) -> Hostile:
    plain = rng.random() < 0.5
    lines = [json.dumps(event, ensure_ascii=plain) for event in _as_objects(rng, rows)]
    if rng.random() < 0.2:
        lines.insert(
            rng.randrange(len(lines) + 1), rng.choice(["5", "[]", "null", "{", '{"customer": ', "", '{"a":1,"a":2}'])
        )
    return replace(file, data=rng.choice(["\n", "\r\n"]).join(lines).encode())


def _as_array(rng: random.Random, rows: Lines, file: Hostile) -> Hostile:
    return replace(file, data=json.dumps(_as_objects(rng, rows), indent=rng.choice((None, 2))).encode())


def _as_excel(rng: random.Random, rows: Lines, file: Hostile) -> Hostile:
    book = openpyxl.Workbook()
    sheet = book.active
    for title in rng.choice([[], [], [["Sales of the year"]], [["Sales"], []]]):
        sheet.append(title)
    sheet.append(_headers(rng)[:4])
    for row in rows:
        sheet.append([_cell(rng, value) for value in row[:4]])
        if rng.random() < 0.02:
            sheet.append([])
    if rng.random() < 0.1:
        sheet.cell(2, 4, "=1+1")
    out = io.BytesIO()
    book.save(out)
    return replace(file, data=out.getvalue())


def _cell(rng: random.Random, value: str) -> object:
    if PLAIN_NUMBER.fullmatch(value) and not value.startswith("0"):
        return float(value)
    if PLAIN_DAY.fullmatch(value) and rng.random() < 0.8:
        return dt.datetime.fromisoformat(value)
    return value


def _as_parquet(rng: random.Random, rows: Lines, file: Hostile) -> Hostile:
    good = [row for row in rows if len(row) == 5]
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t (receipt TEXT, customer TEXT, day TEXT, spent TEXT, note TEXT)")
        if good:
            connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?)", good)
        place = Path(f"/tmp/hostile-{rng.random()}.parquet")
        connection.execute(f"COPY t TO '{place}' (FORMAT parquet)")
    data = place.read_bytes()
    place.unlink()
    return replace(file, data=data)


WRITERS = {"jsonl": _as_lines, "json": _as_array, "xlsx": _as_excel, "parquet": _as_parquet}


# -- changes of bytes --------------------------------------------------------------------------------------------------


def _cut(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _flip(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 5))):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _drop(rng: random.Random, data: bytes) -> bytes:
    start = rng.randrange(len(data) + 1)
    return data[:start] + data[start + rng.choice((1, 2, 50)) :]


def _insert(*pieces: bytes) -> Callable[[random.Random, bytes], bytes]:
    def change(rng: random.Random, data: bytes) -> bytes:
        start = rng.randrange(len(data) + 1)
        return data[:start] + rng.choice(pieces) + data[start:]

    return change


def _front(*pieces: bytes) -> Callable[[random.Random, bytes], bytes]:
    return lambda rng, data: rng.choice(pieces) + data


def _ends(rng: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\n")
    return b"".join(line + rng.choice((b"\n", b"\r\n", b"\n", b"\r", b"\r\r\n")) for line in lines)


BYTE_CHANGES = [
    _cut, _flip, _drop, _insert(b"\0", b"\0" * 50), _insert(b"\xff", b"\x80\x81", b"\xed\xa0\x80"),
    lambda _rng, _data: b"", lambda _rng, data: data + data,
]  # fmt: skip
TEXT_CHANGES = [
    _insert(b'"', b'"', b'""', b"'"), _insert(b",", b";", b"\t"), _insert(b"\r", b"\n", b"\r\n", b"\n\n"), _ends, _ends,
    _front(b"PK\x03\x04", b"%PDF-1.7\n", b"\x1f\x8b", b"<!DOCTYPE html>\n", b"PAR1"),
    _front(codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
    _insert(b"\nr9999,last,2024-01-01,1.00,appended\n"),
]  # fmt: skip


# -- what a reader of our own makes of them ----------------------------------------------------------------------------


def read_rows(file: Hostile) -> list[dict[str, str]] | None:
    """The rows of a CSV or of JSON, as Python's own modules read them; None where these have doubts, too."""
    try:
        data = gzip.decompress(file.data) if file.name.endswith("gz") else file.data
        if "csv" in file.name:
            return _read_csv(data, file.encoding)
        if file.name.endswith("jsonl"):
            return _texts([json.loads(line) for line in data.decode("utf-8").splitlines() if line.strip()])
        if file.name.endswith("json"):
            return _texts(json.loads(data))
    except (ValueError, EOFError, OSError, csv.Error):
        pass
    return None


def _read_csv(data: bytes, told: str) -> list[dict[str, str]] | None:
    marks = {codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF8: "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
    codec = next((codec for mark, codec in marks.items() if data.startswith(mark)), "")
    if not codec and told == "utf-16":
        codec = "utf-16-be" if data[:1] == b"\0" else "utf-16-le"
    text = data.decode(codec or told).replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff\n")
    delimiter = max(",;\t|", key=text.partition("\n")[0].count)
    if text.startswith("sep="):
        delimiter, text = text[4], text[6:]
    csv.field_size_limit(1 << 24)
    headers, *rows = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter, strict=True) if row]
    names = [name.strip() for name in headers]
    # strict forgives a quote within a field, of which readers think differently
    if len({name.casefold() for name in names}) < len(names) or re.search(r'[^"\n,;\t|]"(?!["\n,;\t|]|$)', text):
        return None
    # an empty field at the end is none: many programs end a row with the delimiter
    rows = [row[:-1] if len(row) == len(names) + 1 and not row[-1] else row for row in rows]
    return [dict(zip(names, row, strict=True)) for row in rows if len(row) == len(names)]


def _texts(events: list[dict[str, object]]) -> list[dict[str, str]] | None:
    if not all(isinstance(event, dict) for event in events):  # `null` on a line of its own, say
        return None
    return [{key: "" if value is None else str(value) for key, value in event.items()} for event in events]


def plain(row: dict[str, str]) -> tuple[str, Decimal] | None:
    """Customer and amount of a row in which there is no doubt; None of another."""
    customer, day, spent = (row.get(name, "") for name in ("customer", "day", "spent"))
    if not PLAIN_NUMBER.fullmatch(spent) or not PLAIN_DAY.fullmatch(day) or not customer.strip():
        return None
    try:
        moment = dt.datetime.fromisoformat(day)
    except ValueError:
        return None
    return (customer.strip(), Decimal(spent)) if moment.year > 1900 and moment < dt.datetime(2026, 1, 1) else None
