"""Files as tables: what DuckDB reads of CSV, JSON and Parquet, one by one, whichever the engine."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

import duckdb
from duckdb.sqltypes import DuckDBPyType
from sqlglot import exp

from clv_helpers.engines.dialect import column, expression, literal, parse, to_sql

Kind = Literal["csv", "json", "parquet", "excel"]
KINDS: dict[str, Kind] = {
    ".json": "json", ".jsonl": "json", ".ndjson": "json", ".parquet": "parquet",
    ".xlsx": "excel", ".xlsm": "excel", ".xls": "excel",
}  # fmt: skip
# How many rows DuckDB looks at, and when it gives up on columns, as of events that have keys of their own: never.
ALL_KEYS = {"sample_size": -1, "map_inference_threshold": -1, "field_appearance_threshold": 0}
# DuckDB keeps no more letters than this of lines that a quote has run together, and we of a line that is no row.
KEPT_OF_A_LINE = 10_000


def kind_of(file: Path) -> Kind:
    """What a file's name says that it holds, gzipped or not: what is nothing else is taken for CSV."""
    suffixes = [suffix.lower() for suffix in file.suffixes]
    return KINDS.get(next((suffix for suffix in reversed(suffixes) if suffix != ".gz"), ""), "csv")


def is_json(file: Path) -> bool:
    """Whether a file holds JSON: its rows may leave out what they have no value for."""
    return kind_of(file) == "json"


def is_csv(file: Path) -> bool:
    """Whether a file is taken for CSV."""
    return kind_of(file) == "csv"


def scan_csv(file: Path, headers: list[str], delimiter: str = ",", skipped: int = 0) -> exp.Expression:
    """A CSV in UTF-8 as a table of text. Its lines that are no rows are left out: `unreadable_lines` has them."""
    return _reader(
        "read_csv", file, columns=_texts(headers), auto_detect=exp.false(), header=exp.true(), skip=literal(skipped),
        delim=literal(delimiter), quote=literal('"'), escape=literal('"'), **_compression(file),
        store_rejects=exp.true(), rejects_limit=literal(0),
    )  # fmt: skip


def scan_json(file: Path, headers: list[str], keys: Collection[str]) -> exp.Expression:
    """JSON lines, or an array, as a table of text; what is nested as JSON. `keys`: those that the rows have.

    A header such as `customer.id` is the value `id` within `customer`, unless the rows have a key of that very name.
    """
    top = list(dict.fromkeys(each if each in keys else each.split(".")[0] for each in headers))
    table = _reader("read_json", file, columns=_texts(top), records=exp.true(), **_compression(file))
    if top == headers:
        return table
    values = [column(each) if each in top else _nested(each) for each in headers]
    named = [value.as_(each, quoted=True) for value, each in zip(values, headers, strict=True)]
    return exp.select(*named).from_(table).subquery("file")


def scan_parquet(file: Path) -> exp.Expression:
    """A Parquet file as a table, in its types."""
    return _reader("read_parquet", file)


def json_types(file: Path) -> dict[str, DuckDBPyType]:
    """The keys of a JSON file and their types, found by reading all of it: any row may bring one more.

    None where it holds no objects.
    """
    options = {name: literal(value) for name, value in ALL_KEYS.items()}
    with duckdb.connect() as connection:

        def types(**more: exp.Expression) -> dict[str, DuckDBPyType]:
            return _types(connection, _reader("read_json", file, **options, **more))

        try:
            found = types()
        except duckdb.Error as error:
            if "Duplicate name" not in str(error):
                raise
            found = types(maximum_depth=literal(1))  # keys within an object differ by case alone: it stays whole
        if list(found) == ["json"]:  # DuckDB's name for values that are no objects, or else a key of that name
            with contextlib.suppress(duckdb.BinderException):
                return types(records=exp.true())
            return {}
        return found


def json_headers(types: dict[str, DuckDBPyType]) -> list[str]:
    """The keys of JSON rows, also those within an object, with its key before them: `customer`, `customer.id`."""
    return [header for key, kind in types.items() for header in _paths(key, kind)]


def parquet_types(file: Path) -> dict[str, DuckDBPyType]:
    """The columns of a Parquet file and their types."""
    with duckdb.connect() as connection:
        return _types(connection, scan_parquet(file))


def _types(connection: duckdb.DuckDBPyConnection, rows: exp.Expression) -> dict[str, DuckDBPyType]:
    read = connection.sql(to_sql(exp.select("*").from_(rows)))
    return dict(zip(read.columns, read.types, strict=True))


def unreadable_lines() -> exp.Expression:
    """The lines that the last scan of a CSV could not read: line (of the file, from 1), text, and the first reason.

    A quote that is never closed swallows the lines after it: each of them is one. Fails where there are more than can
    be told apart.
    """
    return parse(f"""
        SELECT line + place - 1 AS line, LEFT(parts[place], {KEPT_OF_A_LINE}) AS text, reason
        FROM (
            SELECT line, reason, STRING_SPLIT(text, CHR(10)) AS parts, UNNEST(RANGE(1, LEN(parts) + 1)) AS place
            FROM (
                SELECT line, reason, CASE WHEN LENGTH(text) < {KEPT_OF_A_LINE} OR NOT CONTAINS(text, CHR(10)) THEN text
                    ELSE ERROR('a quote is opened that nothing closes, in Line: ' || line) END AS text
                FROM (
                    SELECT CAST(line AS BIGINT) AS line, TRIM(MIN(csv_line), CHR(13) || CHR(10)) AS text,
                        COALESCE(MIN_BY(error_message, COALESCE(column_idx, 0)), 'too long or damaged') AS reason
                    FROM reject_errors
                    WHERE scan_id = (SELECT MAX(scan_id) FROM reject_scans)
                    GROUP BY line
                ) AS rejected
            ) AS told
        ) AS lines
    """)


def _reader(name: str, file: Path, **options: exp.Expression) -> exp.Expression:
    named = [exp.EQ(this=exp.to_identifier(key), expression=value) for key, value in options.items()]
    return exp.Table(this=exp.Anonymous(this=name, expressions=[literal(str(file)), *named]))


def _texts(headers: list[str]) -> exp.Expression:
    return exp.Struct(
        expressions=[exp.PropertyEQ(this=literal(header), expression=literal("VARCHAR")) for header in headers]
    )


def _compression(file: Path) -> dict[str, exp.Expression]:
    return {"compression": literal("gzip")} if file.suffix.lower() == ".gz" else {}  # also where it is .GZ


def _nested(header: str) -> exp.Expression:
    first, *rest = header.split(".")
    path = "$" + "".join(f'."{key}"' for key in rest)
    return expression("JSON_EXTRACT_STRING($value, $path)", value=column(first), path=path)


def _paths(key: str, kind: Any) -> list[str]:
    children = kind.children if kind.id == "struct" else []
    return [key, *(f"{key}.{below}" for name, inner in children for below in _paths(name, inner))]


def regular_expression_problem(pattern: str) -> str:
    """What RE2, which needs time in proportion to the text whatever the pattern, has against one; empty: nothing."""
    with duckdb.connect() as connection:
        try:
            connection.execute("SELECT regexp_matches('', $1)", [pattern])
        except duckdb.Error as error:
            return str(error).removeprefix("Invalid Input Error: ").split("\n")[0]
    return ""
