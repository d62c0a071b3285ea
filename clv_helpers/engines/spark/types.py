"""Types of columns that both engines read from Parquet, and their names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlglot import exp

from clv_helpers.engines.dialect import to_sql

if TYPE_CHECKING:
    from pyspark import sql

# Spark's types that a table cannot have, and what it has instead.
STORABLE = {"void": "int", "timestamp": "timestamp_ntz"}
# The same of DuckDB's, also within lists and structs: of a file of the others Spark reads other values, or nothing.
STORED_AS = {
    exp.DType.INT128: "BIGINT",
    exp.DType.UINT128: "DECIMAL(38, 0)",
    exp.DType.UTINYINT: "SMALLINT",
    exp.DType.USMALLINT: "INTEGER",
    exp.DType.UINT: "BIGINT",
    exp.DType.UBIGINT: "DECIMAL(20, 0)",
    exp.DType.UUID: "VARCHAR",
    exp.DType.JSON: "VARCHAR",
    exp.DType.TIMESTAMPTZ: "TIMESTAMP",
    exp.DType.TIMESTAMP_NS: "TIMESTAMP",
}
NO_TYPE = '"NULL"'  # DuckDB's name of the type of NULL
PERHAPS_OTHER = re.compile(r"HUGEINT|UTINYINT|USMALLINT|UINTEGER|UBIGINT|UUID|JSON|WITH TIME ZONE|TIMESTAMP_NS")


def quoted(name: str) -> str:
    """A name as Spark's SQL quotes it."""
    return "`" + name.replace("`", "``") + "`"


def as_stored(data: sql.DataFrame) -> sql.DataFrame:
    """What Spark has worked out, in the types that a table can have."""
    for field in data.schema.fields:
        kind = STORABLE.get(field.dataType.simpleString())
        if kind:
            data = data.withColumn(field.name, data[quoted(field.name)].cast(kind))
    return data


def storable(kind: str) -> str:
    """DuckDB's name of a type that both engines read from Parquet, for its name of any."""
    if kind == NO_TYPE:
        return "INT"
    if not PERHAPS_OTHER.search(kind):
        return kind
    whole = exp.DataType.build(kind, dialect="duckdb")
    for part in reversed(list(whole.find_all(exp.DataType))):
        other = STORED_AS.get(part.this)
        if other and part is whole:
            return other
        if other:
            part.replace(exp.DataType.build(other, dialect="duckdb"))
    return to_sql(whole)


def as_spark(kind: str) -> str:
    """DuckDB's name of a type as Spark's of what is stored."""
    return exp.DataType.build(storable(kind), dialect="duckdb").sql("spark")
