"""What reads few rows, by DuckDB in this process, from the same files: to plan and to start it takes Spark longer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlglot import exp

from clv_helpers.engines.dialect import expression, literal, mentions, parse, table, to_sql
from clv_helpers.errors import UserError

if TYPE_CHECKING:
    from clv_helpers.engines.spark.session import SparkSession

PARQUET = "*.parquet"  # the files in a folder
STORED = """
    SELECT * FROM $typed AS t UNION ALL BY NAME
    SELECT * FROM READ_PARQUET($files, union_by_name = TRUE, hive_partitioning = $by_batch)
"""
# Where the workbook's own folder is called `name=value`, DuckDB would make a column of that, too, or put it in the
# place of ours. Then it reads the files of all batches, also where one is asked for.
STORED_BELOW_A_VALUE = """
    SELECT * FROM $typed AS t UNION ALL BY NAME
    SELECT * EXCLUDE (_file), CAST(REGEXP_EXTRACT(_file, $pattern, 1) AS BIGINT) AS _batch_id
    FROM READ_PARQUET($files, union_by_name = TRUE, hive_partitioning = FALSE, filename = '_file')
"""
BATCH = "_batch_id"
OF_BATCH = f"/{BATCH}="  # in a folder's name, within the lake's
MODIFIERS = ("joins", "laterals", "pivots", "sample")  # of a table where it is mentioned


class QueryRefused(UserError):
    """What Spark has against a query, without its plan and its stack; or that there is no such table."""


class Place(NamedTuple):
    """The folders of a table's rows, with how many are in each; or a view's query.

    Rows that DuckDB `has_read` from a file cost it little more, however many they are.
    """

    folders: dict[str, int]
    query: str = ""
    has_read: bool = False


def reads_few(session: SparkSession, query: exp.Expr) -> bool:
    """Whether DuckDB is the shorter way. It alone can be asked for the records."""
    names = stored_tables(session, query)
    return not names or _rows(session, names) <= session.spark_above > 0


def stored_tables(session: SparkSession, query: exp.Expr) -> list[str]:
    """The tables that a query mentions whose rows are in folders: not the records."""
    return [name for name, _ in mentions(query) if name not in session.records]


def _rows(session: SparkSession, names: list[str]) -> int:
    places = [session.place(name) for name in names]
    within = (_rows(session, stored_tables(session, parse(place.query))) for place in places if place.query)
    return sum(sum(place.folders.values()) for place in places if not place.has_read) + sum(within)


def near(session: SparkSession, query: exp.Expr) -> exp.Expr:
    """A query with the files of the tables in their place; the records are where it runs. Raises QueryRefused."""
    query = query.copy()
    for name, mention in tables_of(query):
        if name not in session.records:
            kept = {key: mention.args.get(key) for key in MODIFIERS}
            mention.replace(exp.Subquery(this=_scan(session, name), alias=alias_of(mention), **kept))
    return query


def tables_of(query: exp.Expr) -> list[tuple[str, exp.Table]]:
    """As `mentions`. Raises QueryRefused for what is no table."""
    found = mentions(query)
    for _, mention in found:
        if not isinstance(mention.this, exp.Identifier):
            raise QueryRefused(f"there is no table {to_sql(mention)}")
    return found


def alias_of(mention: exp.Table) -> exp.TableAlias:
    """The alias of a table that is mentioned, with those of its columns; its own name where it has none."""
    given = mention.args.get("alias")
    return exp.TableAlias(
        this=exp.to_identifier(mention.alias_or_name, quoted=True), columns=given.columns if given else []
    )


def _scan(session: SparkSession, name: str) -> exp.Expr:
    """The rows of a table. DuckDB's own has none; it says which columns there are, and of what types."""
    place, typed = session.place(name), exp.select("*").from_(table(name))
    if place.query:
        return near(session, parse(place.query))
    if not place.folders:
        return typed
    files = exp.array(*(literal(str(session.root / folder / PARQUET)) for folder in place.folders))
    by_batch = any(OF_BATCH in folder for folder in place.folders)  # a temporary table may be a second name of one
    if by_batch and "=" in str(session.root):
        return expression(STORED_BELOW_A_VALUE, typed=typed, files=files, pattern=rf".*{OF_BATCH}(\d+)/")
    return expression(STORED, typed=typed, files=files, by_batch=literal(by_batch))
