"""`clv new`: the params of a new workbook, with columns guessed from the headers and first rows of a file."""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import gzip
import itertools
import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from clv_helpers.config.datasets import DATASETS
from clv_helpers.config.sources import CsvFormat
from clv_helpers.engines.file_scan import is_csv, is_json
from clv_helpers.errors import UserError
from clv_helpers.files import write_atomically
from clv_helpers.ingest.csv_header import HeaderError, read_header

ROWS = 1000
# Beginnings of words in a header, the likeliest first, and what speaks against it.
WORDS = {
    "customer": "cust client member user guest donor subscriber buyer shopper patient account loyalty person card",
    "date": "date ordered bought purchased occurred time timestamp day created invoice",
    "amount": "amount total spent spend revenue sales value paid price sum turnover gross net donation",
    "order": "order invoice receipt transaction ticket basket booking",
    "category": "category tier segment channel store region country plan",
}
NEEDED = {"customer": "customer_id", "date": "occurred_at", "amount": "amount"}
AGAINST = {
    "customer": "name country city region segment type age since email group tier status",
    "date": "birth ship deliver due update join signup",
    "amount": "tax discount shipping id count qty quantity",
    "order": "date time day total amount value status type",
    "category": "id name",
}
DAYS = ["%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%Y/%m/%d", "%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%d %b %Y"]
TIMES = ["", " %H:%M", " %H:%M:%S", " %I:%M %p"]
NUMBERS = {".": r"-?\d+(\.\d+)?", ",": r"-?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?"}
CURRENCIES = {"eur", "usd", "gbp", "chf", "sek", "nok", "dkk", "pln", "jpy", "inr", "cad", "aud"}
PARAMS = """\
# Made by `clv new`{origin}. Read it, and mend what is wrong: docs/own_data.md says more.
title: {title}

sources:
  purchases:
    path: {path}  # relative to this file; a pattern such as orders/*.csv works as well
{csv}    columns:  # our name: the header in the file
{columns}
value:
  column: amount  # what is summed, and ranked in deciles
  unit: {unit}  # the currency
{category}
lifetime:  # what each customer is expected to bring
  horizon_months: 12
  margin: 1.0  # the share of the amount that remains, such as 0.3

# words: {{customer: guest, purchase: visit}}  # what you call them, wherever people read of them
"""


class NewWorkbookError(UserError):
    """A workbook that cannot be made; the message says why, and what to do."""


@dataclass
class _Table:
    """The head of a file: values by header, as text, and how a CSV is written."""

    file: Path
    values: dict[str, list[str]]
    encoding: str = "utf-8"


@dataclass
class _Guess:
    """What is written of the columns, and what a person is told of it."""

    columns: dict[str, str] = field(default_factory=dict)
    csv: dict[str, str] = field(default_factory=dict)
    category: str = ""
    notes: list[str] = field(default_factory=list)


def create(name: str, source: Path | None = None) -> tuple[Path, list[str]]:
    """Write the params of a new workbook to NAME.yml; gives the file, and a sentence per guess.

    Raises NewWorkbookError for a file that is there already, and for a source whose columns cannot be guessed.
    """
    file = Path(name if name.endswith((".yml", ".yaml")) else f"{name}.yml")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", file.stem):
        raise NewWorkbookError(f"the name is {file.stem!r}; allowed: letters, digits, _ and -, such as my_shop")
    if file.exists():
        raise NewWorkbookError(f"{file} is there already, and stays as it is; allowed: another name")
    guess = _guess(_read(source)) if source else _Guess({column: column for column in NEEDED.values()})
    write_atomically(file, _text(file, source, guess))
    return file, guess.notes


def _text(file: Path, source: Path | None, guess: _Guess) -> str:
    amount = guess.columns["amount"]
    unit = next((word.upper() for word in _words(amount) if word in CURRENCIES), "USD")
    columns = [f"      {column}: {header}" for column, header in _mapping(guess).items()]
    path = _relative(source, file.parent) if source else f"{file.stem}.csv"
    return PARAMS.format(
        origin=f" from {source.name}, whose columns are guessed" if source else "",
        title=json.dumps(file.stem.replace("_", " ").capitalize()),
        path=json.dumps(path, ensure_ascii=False),
        csv=f"    csv: {json.dumps(guess.csv)}\n" if guess.csv else "",
        columns="\n".join(columns),
        unit=unit,
        category=f"category: {guess.category}  # deciles within each, beside those over everyone\n"
        if guess.category
        else "",
    )


def _mapping(guess: _Guess) -> dict[str, str]:
    """Column → what stands for it in the params."""
    return {
        column: quoted if column in DATASETS["purchases"] else f"{{from: {quoted}, type: text}}  # a column of your own"
        for column, quoted in ((name, json.dumps(header, ensure_ascii=False)) for name, header in guess.columns.items())
    }


def _relative(source: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(source.resolve(), folder.resolve())).as_posix()
    except ValueError:  # on another drive
        return source.resolve().as_posix()


def _read(file: Path) -> _Table:
    """The first rows of a CSV, JSON or Parquet file. Raises NewWorkbookError."""
    if not file.is_file():
        raise NewWorkbookError(f"{file}: there is no such file; allowed: a CSV, JSON or Parquet file of purchases")
    return _read_csv(file) if is_csv(file) else _read_typed(file)


def _read_csv(file: Path) -> _Table:
    opening = gzip.open if file.suffix == ".gz" else open
    with opening(file, "rb") as stream:
        wide = stream.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    for form in [CsvFormat(encoding="utf-16")] if wide else [CsvFormat(), CsvFormat(encoding="latin-1")]:
        encoding = "utf-8-sig" if form.encoding == "utf-8" else form.encoding
        try:
            delimiter, headers = read_header(file, form)
            with opening(file, "rt", encoding=encoding, newline="") as stream:
                rows = list(itertools.islice(csv.reader(stream, delimiter=delimiter), 1, ROWS + 1))
        except (HeaderError, UnicodeError, csv.Error) as error:
            reason = str(error)
            continue
        columns = list(zip(*(row for row in rows if len(row) == len(headers)), strict=True))
        values = {header: [value.strip() for value in column] for header, column in zip(headers, columns, strict=False)}
        return _Table(file, values or {header: [] for header in headers}, form.encoding)
    raise NewWorkbookError(f"{file} {reason}; allowed: a CSV file whose first line names its columns")


def _read_typed(file: Path) -> _Table:
    import duckdb

    with duckdb.connect() as connection:
        try:
            reader = connection.read_json if is_json(file) else connection.read_parquet
            rows = reader(str(file)).limit(ROWS)
            texts = rows.project(", ".join(f'"{name.replace(chr(34), chr(34) * 2)}"::VARCHAR' for name in rows.columns))
            columns = list(zip(*texts.fetchall(), strict=True)) or [() for _ in rows.columns]
        except duckdb.Error as error:
            reason = str(error).split("\n")[0]
            raise NewWorkbookError(f"{file} is not readable ({reason}); allowed: JSON lines or Parquet") from None
        named = zip(rows.columns, columns, strict=True)
        return _Table(file, {header: [value or "" for value in values] for header, values in named})


def _guess(table: _Table) -> _Guess:
    """Which column is what. Raises NewWorkbookError where a needed one is not recognised."""
    guess = _Guess(csv={"encoding": table.encoding} if table.encoding != "utf-8" else {})
    readings: dict[str, list[str]] = {}
    for role in WORDS:
        free = [header for header in table.values if header not in guess.columns.values()]
        fits = {header: found for header in free if (found := _readings(role, table.values[header]))}
        likely = list(fits) if role == "date" and len(fits) == 1 else _ranked(role, list(fits))
        if likely:
            guess.columns[_column(role, likely[0], guess)] = likely[0]
            readings[role] = fits[likely[0]]
        elif role in NEEDED:
            raise NewWorkbookError(
                f"{table.file}: no column is recognised as the {role} (its columns: {', '.join(table.values)}); "
                "allowed: headers such as customer_id, date and amount, with days like 2026-01-31 and numbers like "
                "12.50; or clv new without --from, which gives params to fill in"
            )
    guess.notes = [f"{column} is read from {header!r}" for column, header in guess.columns.items()]
    _note_formats(guess, readings["date"], readings["amount"])
    return guess


def _readings(role: str, values: list[str]) -> list[str]:
    """As what a column's values can be read in a role: formats, decimal signs, or just that they fit; empty: not."""
    texts = [value for value in values if value]
    match role:
        case "date":
            return _date_formats(texts)
        case "amount":
            return [sign for sign, form in NUMBERS.items() if texts and all(re.fullmatch(form, t) for t in texts)]
        case "order":  # an identity only where no two rows share it: the second would be a repeat
            return ["unique"] * (len(set(values)) == len(values) > 1)
        case "category":
            return ["few"] * (2 <= len(set(texts)) <= 12)
    return ["any"]


def _column(role: str, header: str, guess: _Guess) -> str:
    """Our column for a role; a category is called as its header is, and remembered."""
    if role != "category":
        return NEEDED.get(role, "event_id")
    name = "_".join(_words(header))
    guess.category = name if re.fullmatch(r"[a-z]\w*", name) and name not in guess.columns else "category"
    return guess.category


def _note_formats(guess: _Guess, dates: list[str], decimals: list[str]) -> None:
    first, *others = dates
    if first != "ISO":
        guess.csv["dates"] = first
        guess.notes.append(f"dates are read as {first}" + (f"; they may be {' or '.join(others)}" if others else ""))
    if "." not in decimals:
        guess.csv["decimal"] = ","
        guess.notes.append("the decimal sign is a comma")


def _date_formats(values: list[str]) -> list[str]:
    """The formats in which all of these values are days or moments."""
    if values and all("-" in value and _is_date(value, "") for value in values):
        return ["ISO"]
    formats = [f"{day}{time}" for day in DAYS for time in TIMES]
    return [form for form in formats if values and all(_is_date(value, form) for value in values)]


def _is_date(value: str, form: str) -> bool:
    try:
        return bool(dt.datetime.strptime(value, form) if form else dt.datetime.fromisoformat(value))
    except ValueError:
        return False


def _ranked(role: str, headers: list[str]) -> list[str]:
    """The headers in which a word of the role begins, the likeliest first."""
    ranks = {}
    for header in headers:
        words, stems = _words(header), WORDS[role].split()
        rank = next((rank for rank, stem in enumerate(stems) if any(word.startswith(stem) for word in words)), None)
        against = any(word.startswith(stem) for stem in AGAINST[role].split() for word in words)
        if rank is not None and not (against and role not in ("date", "amount")):
            ranks[header] = (against, rank)
    return sorted(ranks, key=lambda header: ranks[header])


def _words(header: str) -> list[str]:
    """The words of a header: InvoiceDate and Invoice_date are invoice and date."""
    return re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", header).lower())
