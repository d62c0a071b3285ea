"""Files as tables: what DuckDB reads of CSV, JSON and Parquet, one by one, whichever the engine."""

from __future__ import annotations

from pathlib import Path

import duckdb
from sqlglot import exp

from clv_helpers.engines.dialect import literal, parse
from clv_helpers.engines.session import Session


def is_json(file: Path) -> bool:
    """Whether a file holds JSON: its rows may leave out what they have no value for."""
    return _kind(file) in (".json", ".jsonl", ".ndjson")


def is_csv(file: Path) -> bool:
    """Whether a file is taken for CSV: what is neither JSON nor Parquet."""
    return not is_json(file) and _kind(file) != ".parquet"


# How many rows DuckDB looks at, and when it gives up on columns, as of events that have keys of their own: never.
ALL_KEYS = ("sample_size", "map_inference_threshold", "field_appearance_threshold")


def scan(file: Path, headers: list[str] | None = None, delimiter: str = ",", encoding: str = "utf-8") -> exp.Expression:
    """A CSV, JSON-lines or Parquet file (or a gz of the first two) as a table; CSV and JSON values come as text.

    A CSV needs its headers. Its lines that are no rows are left out: `unreadable_lines` has them. Without `headers`,
    those of a JSON file are found by reading all of it, since any row may bring one more.
    """
    texts = [exp.PropertyEQ(this=literal(header), expression=literal("VARCHAR")) for header in headers or []]
    options: dict[str, exp.Expression] = {"columns": exp.Struct(expressions=texts)} if headers else {}
    if _kind(file) == ".parquet":
        reader, options = "read_parquet", {}
    elif is_json(file):
        reader, options = "read_json", options or dict(zip(ALL_KEYS, map(literal, (-1, -1, 0)), strict=True))
    else:
        reader = "read_csv"
        options |= {
            "auto_detect": exp.false(), "header": exp.true(), "delim": literal(delimiter),
            "quote": literal('"'), "escape": literal('"'), "encoding": literal(encoding),
            "store_rejects": exp.true(), "rejects_limit": literal(0),
        }  # fmt: skip
    named = [exp.EQ(this=exp.to_identifier(name), expression=value) for name, value in options.items()]
    return exp.Table(this=exp.Anonymous(this=reader, expressions=[literal(str(file)), *named]))


def file_columns(file: Path) -> list[str]:
    """The columns of a JSON or Parquet file."""
    with duckdb.connect() as connection:
        return list(Session(connection).columns(scan(file)))


def unreadable_lines() -> exp.Expression:
    """The lines that the last scan of a CSV could not read: line (of the file, from 1), text, and the first reason."""
    return parse("""
        SELECT CAST(line AS BIGINT) AS line, MIN(csv_line) AS text, MIN_BY(error_message, column_idx) AS reason
        FROM reject_errors
        WHERE scan_id = (SELECT MAX(scan_id) FROM reject_scans)
        GROUP BY line
    """)


def _kind(file: Path) -> str:
    return next((suffix for suffix in reversed(file.suffixes) if suffix != ".gz"), "").lower()


def regular_expression_problem(pattern: str) -> str:
    """What RE2, which needs time in proportion to the text whatever the pattern, has against one; empty: nothing."""
    with duckdb.connect() as connection:
        try:
            connection.execute("SELECT regexp_matches('', $1)", [pattern])
        except duckdb.Error as error:
            return str(error).removeprefix("Invalid Input Error: ").split("\n")[0]
    return ""
