"""A session on Spark. Tables are those of a manifest; what is temporary goes to a folder that goes with the session."""

from __future__ import annotations

import contextlib
import shutil
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from sqlglot import exp

from clv_helpers.engines.dialect import column, expression, literal, parse, table, to_sql
from clv_helpers.engines.duckdb.session import DuckDBSession
from clv_helpers.engines.session import Delta, Session, bound
from clv_helpers.engines.spark.changes import changed_by_update, kept_by_delete, listed_values
from clv_helpers.engines.spark.connection import halt
from clv_helpers.engines.spark.dialect import ForbiddenFunction, spark_sql
from clv_helpers.engines.spark.frames import (
    as_columns,
    as_spark,
    columns_of,
    contract_type,
    our_name,
    parquet_files,
    quoted,
)
from clv_helpers.engines.spark.metadata_tables import MetadataTables
from clv_helpers.engines.spark.store import BATCH, Store, Stored, parquet_rows
from clv_helpers.errors import UserError

if TYPE_CHECKING:
    import pandas as pd
    from pyspark import sql

# Spark's types that a table cannot have, and what it has instead.
STORABLE = {"void": "int", "timestamp": "timestamp_ntz"}


class NoSuchTable(UserError):
    """A query asks for a table that is not there."""


class QueryRefused(UserError):
    """What Spark has against a query, without its plan and its stack."""


class SparkSession(Session):
    """Reads through views that this session alone has, one per table; writes by new folders in its manifest."""

    def __init__(self, spark: sql.SparkSession, store: Store, file: Path, read_only: bool = False, memory: str = ""):
        super().__init__()
        from py4j.protocol import Py4JError  # type: ignore[import-untyped]
        from pyspark.errors import PySparkException

        stopped = (Py4JError, ConnectionError)  # of a query that was stopped
        self.errors = (PySparkException, *stopped, duckdb.Error, NoSuchTable, ForbiddenFunction, QueryRefused)
        self.spark, self.store, self.file = spark, store, file
        self.id = uuid.uuid4().hex
        self.manifest = store.read(file)
        self.metadata = MetadataTables(store, self.manifest, read_only, memory)
        self.read_only = read_only
        self.views: dict[Any, str] = {}  # of what a view is made → its name in Spark
        self.temporary: dict[str, Stored | str] = {}  # name → a table, or a view's name in Spark
        self.reader = DuckDBSession(duckdb.connect())  # of what comes from Spark

    def close(self) -> None:
        """Forget this session's views and temporary tables."""
        for view in self.views.values():
            with contextlib.suppress(*self.errors):  # it is gone with a JVM that was killed
                self.spark.catalog.dropTempView(view)
        self.metadata.close()
        self.reader.connection.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    @property
    def scratch(self) -> Path:
        return self.store.root / "scratch" / self.id

    def commit(self) -> None:
        self.manifest = replace(self.manifest, metadata=self.metadata.save())
        self.store.write(self.file, self.manifest)

    def rollback(self) -> None:
        self.manifest = self.store.read(self.file)
        self.metadata.rollback(self.manifest)

    # -- out

    def run(self, query: str | exp.Expr, **bindings: Any) -> None:
        tree = bound(query, bindings)
        target = tree.find(exp.Table) if isinstance(tree, exp.Insert | exp.Update | exp.Delete) else None
        if target is None:
            raise NotImplementedError(f"no statement of ours on Spark: {to_sql(tree)[:80]}")
        name = _name(target)
        if name in self.store.metadata_tables:
            self.metadata.run(name, tree)
        elif isinstance(tree, exp.Insert):
            self._insert(name, tree)
        elif isinstance(tree, exp.Delete):
            self._delete(name, tree)
        elif isinstance(tree, exp.Update):
            self._replace(name, self._data(changed_by_update(tree, self._stored(name).columns)))

    def rows(self, query: str | exp.Expr, **bindings: Any) -> list[dict[str, Any]]:
        return self._answer(bound(query, bindings), DuckDBSession.rows)

    def frame(self, query: str | exp.Expr, **bindings: Any) -> pd.DataFrame:
        return self._answer(bound(query, bindings), DuckDBSession.frame)

    def _answer(self, tree: exp.Expr, form: Callable[[DuckDBSession, exp.Expr], Any]) -> Any:
        """Rows that came from Spark pass through DuckDB's reader of Arrow: both engines answer in the same types."""
        if self._only_metadata(tree):
            return form(self.metadata.session, tree)
        try:
            arrow = self._collect(self._data(tree))
        except self.errors as error:
            raise QueryRefused(str(error).split(" SQLSTATE:")[0].split("\n")[0]) from None
        self.reader.connection.register("answer", arrow)
        try:
            return form(self.reader, exp.select("*").from_("answer"))
        finally:
            self.reader.connection.unregister("answer")

    def _collect(self, data: sql.DataFrame) -> Any:
        """All that ever comes to the driver comes through here."""
        return data.toArrow()

    def interrupt(self) -> None:
        self.metadata.session.interrupt()
        halt(self.spark)

    def explain(self, sql: str, error: Exception) -> tuple[int | None, str]:
        """As Session says; Spark's lines would be those of the translation."""
        if isinstance(error, duckdb.Error):
            return self.metadata.session.explain(sql, error)
        return None, str(error)

    def columns(self, source: exp.Expr) -> dict[str, str]:
        query = exp.select("*").from_(source.copy())
        if self._only_metadata(query):
            return self.metadata.session.columns(source)
        stored = self._known(source)
        columns = stored.columns if stored else columns_of(self._data(query))
        return {name: our_name(kind) for name, kind in columns.items()}

    def count(self, source: exp.Expr) -> int:
        stored = self._known(source)
        return stored.rows if stored and not stored.view else super().count(source)

    def copy_to(self, query: exp.Expr, file: Path, **options: Any) -> int:
        """As Session says. Spark writes the rows in their order to one Parquet file, DuckDB makes the file of it."""
        folder = self.scratch / uuid.uuid4().hex
        self._data(query).coalesce(1).write.parquet(str(folder))
        with duckdb.connect() as connection:
            return DuckDBSession(connection).copy_to(parquet_files(folder), file, **options)

    # -- temporary

    def create_temporary(self, name: str, query: exp.Expr) -> None:
        whole = self._known(_whole_table(query))
        if whole and not whole.view:  # what is stored does not change: a second name is enough
            self.temporary[name] = whole
            return
        folder = f"scratch/{self.id}/{uuid.uuid4().hex}"
        self.temporary[name] = self._written(self._data(query), folder)

    def load_file(self, name: str, query: exp.Expr, *more: exp.Expr) -> None:
        folder = self.scratch / uuid.uuid4().hex
        folder.mkdir(parents=True)
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(f"SET temp_directory = {to_sql(literal(str(self.scratch / 'spill')))}")
            reading = DuckDBSession(connection)
            reading.load_file(name, query, *more)
            reading.copy_to(exp.select("*").from_(table(name)), folder / "rows.parquet", format="parquet")
        data = self.spark.read.parquet(str(folder))
        self.temporary[name] = Stored(
            columns_of(data), {str(folder.relative_to(self.store.root)): parquet_rows(folder)}
        )

    def load_frame(self, name: str, frame: pd.DataFrame) -> None:
        import pyarrow

        arrow = pyarrow.Table.from_pandas(frame, preserve_index=False)
        self.temporary[name] = self._viewed(uuid.uuid4().hex, lambda: self._from_arrow(arrow))

    # -- tables

    def create_if_absent(self, name: str, columns: dict[str, Any]) -> None:
        if name in self.store.metadata_tables:
            self.metadata.session.create_if_absent(name, columns)
        elif name not in self.manifest.tables:
            kinds = {key: contract_type(kind) for key, kind in columns.items()}
            self._put(name, Stored(kinds, by_batch=BATCH in columns))

    def add_column(self, name: str, column_name: str, kind: str) -> None:
        stored = self._stored(name)
        self._put(name, replace(stored, columns={**stored.columns, column_name: contract_type(kind)}))

    def create_table(self, name: str, query: exp.Expr) -> None:
        if name in self.store.metadata_tables:
            return self.metadata.create_table(name, query)
        stored = self._written(self._data(query), self.store.new_folder(name))
        self.deltas.pop(name, None)
        return self._put(name, replace(stored, version=str(uuid.uuid4())))

    def create_view(self, name: str, query: exp.Expr, version: str) -> None:
        self._put(name, Stored(columns_of(self._data(query)), version=version, view=to_sql(query)))

    def change_rows(self, name: str, delta: Delta) -> None:
        stored = self._stored(name)
        changed = expression(
            "SELECT * FROM (SELECT $key FROM $removed UNION SELECT $key FROM $added) AS changed",
            key=[column(key) for key in delta.key], removed=table(delta.removed), added=table(delta.added),
        )  # fmt: skip
        using: list[Any] = [exp.to_identifier(key, quoted=True) for key in delta.key]
        kept = exp.select("*").from_(table(name)).join(changed, using=using, join_type="anti", join_alias="changed")
        rows = expression(
            "SELECT $columns FROM $kept AS kept UNION ALL SELECT $columns FROM $added",
            columns=[column(key) for key in stored.columns], kept=kept, added=table(delta.added),
        )  # fmt: skip
        self._replace(name, self._data(rows))
        self.set_version(name, str(uuid.uuid4()))

    def versions(self) -> dict[str, str | None]:
        tables = {name: stored.version for name, stored in self.manifest.tables.items()}
        return tables | {name: self.metadata.versions.get(name) for name in self.metadata.tables()}

    def set_version(self, name: str, version: str) -> None:
        if name in self.store.metadata_tables:
            self.metadata.versions[name] = version
        else:
            self._put(name, replace(self._stored(name), version=version))

    def drop(self, name: str) -> None:
        if name in self.store.metadata_tables:
            self.metadata.drop(name)
        else:
            tables = {other: stored for other, stored in self.manifest.tables.items() if other != name}
            self.manifest = replace(self.manifest, tables=tables)

    # -- within

    def _put(self, name: str, stored: Stored) -> None:
        if self.read_only:
            raise PermissionError(f"{name}: readers cannot change tables")
        self.manifest = replace(self.manifest, tables={**self.manifest.tables, name: stored})

    def _replace(self, name: str, data: sql.DataFrame) -> None:
        """Other rows in a table of the same columns; its version stays."""
        before = self._stored(name)
        after = self._written(as_columns(data, before.columns), self.store.new_folder(name))
        self._put(name, replace(before, folders=after.folders))

    def _insert(self, name: str, tree: exp.Insert) -> None:
        stored = self._stored(name)
        query = listed_values(tree.expression)
        if isinstance(tree.this, exp.Schema):
            names = [target.name for target in tree.this.expressions]
        else:
            names = query.named_selects if tree.args.get("by_name") else list(stored.columns)
        columns, batch = stored.columns, None
        if stored.by_batch:  # the rows of a statement are of one batch, which it names
            batch = int(query.selects[names.index(BATCH)].unalias().this)
            columns = {key: kind for key, kind in columns.items() if key != BATCH}
        data = as_columns(self._data(query).toDF(*names), columns)
        written = self._written(data, self.store.new_folder(name, batch))
        if written.rows:
            self._put(name, stored.with_folder(*next(iter(written.folders.items()))))

    def _delete(self, name: str, tree: exp.Delete) -> None:
        stored, where = self._stored(name), tree.args["where"].this
        if not stored.by_batch:
            return self._replace(name, self._data(kept_by_delete(tree)))
        if not (isinstance(where, exp.EQ) and where.this.name == BATCH):
            raise NotImplementedError(f"rows leave {name} by batches only")
        return self._put(name, stored.without_batch(int(where.expression.this)))

    def _known(self, source: exp.Expr) -> Stored | None:
        """What is known of a source without asking Spark: of a table by itself, its columns and rows."""
        name = _name(source) if isinstance(source, exp.Table) else ""
        known = self.temporary.get(name, self.manifest.tables.get(name))
        return known if isinstance(known, Stored) else None

    def _stored(self, name: str) -> Stored:
        stored = self.temporary.get(name) if "." not in name else self.manifest.tables.get(name)
        if isinstance(stored, Stored):
            return stored
        raise NoSuchTable(f"there is no table {name}")

    def _written(self, data: sql.DataFrame, folder: str) -> Stored:
        """A query's rows in a folder of their own."""
        kinds = {name: STORABLE.get(kind, kind) for name, kind in columns_of(data).items()}
        if kinds != columns_of(data):
            data = as_columns(data, kinds)
        data.write.parquet(str(self.store.root / folder))
        return Stored(kinds, {folder: parquet_rows(self.store.root / folder)})

    def _data(self, query: exp.Expr) -> sql.DataFrame:
        return self.spark.sql(self._translated(query))

    def _translated(self, query: exp.Expr) -> str:
        """For Spark, with this session's views in the place of the tables."""
        query = query.copy()
        for mention in _tables(query):
            alias, view = mention.alias or mention.name, self._view(_name(mention))
            mention.set("this", exp.to_identifier(view, quoted=True))
            mention.set("db", None)
            mention.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))
        return spark_sql(query)

    def _view(self, name: str) -> str:
        if name in self.metadata.tables():
            return self._viewed(self.metadata.state(name), lambda: self._from_arrow(self.metadata.arrow(name)))
        view = self.temporary.get(name)
        if isinstance(view, str):
            return view
        stored = self._stored(name)
        if stored.view:
            text = self._translated(parse(stored.view))
            return self._viewed(text, lambda: self.spark.sql(text))
        return self._viewed((name, *stored.columns, *stored.folders), lambda: self._read(name, stored))

    def _viewed(self, what: Any, data: Callable[[], sql.DataFrame]) -> str:
        if what not in self.views:
            view = f"clv_{self.id[:8]}_{len(self.views)}"
            data().createOrReplaceTempView(view)
            self.views[what] = view
        return self.views[what]

    def _read(self, name: str, stored: Stored) -> sql.DataFrame:
        if not stored.folders:
            return self._empty(stored.columns)
        reader = self.spark.read.schema(", ".join(f"{quoted(key)} {kind}" for key, kind in stored.columns.items()))
        if stored.by_batch:
            reader = reader.option("basePath", self.store.table_folder(name))
        data = reader.parquet(*(str(self.store.root / folder) for folder in stored.folders))
        return data.select(*map(quoted, stored.columns))

    def _from_arrow(self, arrow: Any) -> sql.DataFrame:
        if arrow.num_rows:
            return self.spark.createDataFrame(arrow)
        with duckdb.connect() as connection:  # of no rows, Connect would not find out the types
            connection.register("arrow", arrow)
            kinds = DuckDBSession(connection).columns(exp.to_table("arrow"))
        return self._empty({name: as_spark(kind) for name, kind in kinds.items()})

    def _empty(self, columns: dict[str, str]) -> sql.DataFrame:
        nulls = (f"CAST(NULL AS {kind}) AS {quoted(name)}" for name, kind in columns.items())
        return self.spark.sql(f"SELECT {', '.join(nulls)} WHERE FALSE")

    def _only_metadata(self, query: exp.Expr) -> bool:
        """Whether a query asks the metadata tables alone, or no table at all."""
        return all(_name(mention) in self.metadata.tables() for mention in _tables(query))


def _tables(query: exp.Expr) -> list[exp.Table]:
    """The mentions of tables, CTEs left out. Raises NoSuchTable for what is a file or a function."""
    ctes = {cte.alias for cte in query.find_all(exp.CTE)}
    mentions = [mention for mention in query.find_all(exp.Table) if mention.db or mention.name not in ctes]
    for mention in mentions:
        if not isinstance(mention.this, exp.Identifier):
            raise NoSuchTable(f"there is no table {to_sql(mention)}")
    return mentions


def _name(mention: exp.Table) -> str:
    return f"{mention.db}.{mention.name}" if mention.db else mention.name


def _whole_table(query: exp.Expr) -> exp.Expr:
    """The table of which a query is just all rows and columns; else the query itself."""
    source = query.args.get("from_") if isinstance(query, exp.Select) and query.is_star else None
    if source and isinstance(source.this, exp.Table) and query == exp.select("*").from_(source.this.copy()):
        return source.this
    return query
