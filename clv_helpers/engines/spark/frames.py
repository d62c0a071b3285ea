"""Columns and types of Spark's DataFrames, by its names and by ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlglot import exp

from clv_helpers.engines.dialect import SQL_TYPES, expression

if TYPE_CHECKING:
    from pyspark import sql

OUR_NAMES = {"string": "VARCHAR", "int": "INTEGER", "timestamp_ntz": "TIMESTAMP", "timestamp": "TIMESTAMP"}


def columns_of(data: sql.DataFrame) -> dict[str, str]:
    """Name → type, by Spark's name for it; asks Spark for the plan, and reads no rows."""
    return {field.name: field.dataType.simpleString() for field in data.schema.fields}


def as_columns(data: sql.DataFrame, columns: dict[str, str]) -> sql.DataFrame:
    """The columns in this order and of these types; NULL for one that is not there."""
    present = set(data.columns)
    chosen = (
        f"CAST({quoted(name) if name in present else 'NULL'} AS {kind}) AS {quoted(name)}"
        for name, kind in columns.items()
    )
    return data.selectExpr(*chosen)


def quoted(name: str) -> str:
    """A name as Spark's SQL quotes it."""
    return "`" + name.replace("`", "``") + "`"


def contract_type(kind: str) -> str:
    """One of the contract's types, by Spark's name for it."""
    return as_spark(SQL_TYPES[kind])


def as_spark(kind: str) -> str:
    """DuckDB's name of a type as Spark's."""
    return exp.DataType.build(kind, dialect="duckdb").sql("spark").lower().replace(" ", "")


def our_name(kind: str) -> str:
    """Spark's name of a type as DuckDB's."""
    return OUR_NAMES.get(kind, kind.upper())


def parquet_files(folder: Path) -> exp.Expression:
    """The rows that Spark wrote to a folder, for DuckDB to read."""
    return expression("SELECT * FROM READ_PARQUET($files)", files=f"{folder}/*.parquet")
