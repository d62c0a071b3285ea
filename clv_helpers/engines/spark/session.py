"""A session on Spark: what there is stands in DuckDB's lake, the rows in folders of Parquet. See engine.py.

What reads few rows is worked out by DuckDB from the same folders: to plan and to start a query takes Spark longer.
"""

from __future__ import annotations

import contextlib
import functools
import shutil
import uuid
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
from sqlglot import exp
from sqlglot.errors import ParseError

from clv_helpers.engines.dialect import (
    column,
    expression,
    mentions,
    parse,
    parsed,
    table,
    table_name,
    to_sql,
)
from clv_helpers.engines.file_scan import scan_parquet
from clv_helpers.engines.messages import without_values
from clv_helpers.engines.session import Delta, Session, bound
from clv_helpers.engines.spark.changes import as_columns, changed_by_update, kept_by_delete, listed_values, whole_table
from clv_helpers.engines.spark.connection import connect, errors_of_spark, halt
from clv_helpers.engines.spark.dialect import ForbiddenFunction, spark_sql
from clv_helpers.engines.spark.near import (
    BATCH,
    OF_BATCH,
    PARQUET,
    Place,
    QueryRefused,
    alias_of,
    near,
    reads_few,
    stored_tables,
    tables_of,
)
from clv_helpers.engines.spark.types import as_spark, as_stored, quoted, storable

if TYPE_CHECKING:
    import pandas as pd
    from pyspark import sql

# Where each table's rows are; of a view its query, in our SQL. A batch's folder holds no column _batch_id: that is in
# the folder's name.
PLACES = "CREATE TABLE IF NOT EXISTS main.place (name VARCHAR, folder VARCHAR, rows BIGINT, query VARCHAR)"
FOLDERS = "SELECT folder FROM main.place WHERE folder IS NOT NULL"


class SparkSession(Session):
    """Tables are empty ones of DuckDB, the records of the workbook (`records`) whole ones.

    Spark reads through views that this session alone has, one per table; what is temporary goes to a folder that goes
    with the session. A statement that reads up to `spark_above` rows is DuckDB's; Spark is started for the first that
    reads more.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        memory: str,
        address: str,
        root: Path,
        records: Collection[str],
        spark_above: int,
    ):
        super().__init__(connection, memory)
        self.errors = (*errors_of_spark(address), duckdb.Error, ForbiddenFunction, QueryRefused)
        self.address, self.root, self.records, self.spark_above = address, root, records, spark_above
        self.id = uuid.uuid4().hex
        self.views: dict[Any, str] = {}  # of what a view is made → its name in Spark
        self.temporary: dict[str, Place] = {}
        self.files = Session(duckdb.connect())  # of what comes from Spark, and what goes to it
        self.files.connection.execute("SET TimeZone = 'UTC'")

    @functools.cached_property
    def spark(self) -> sql.SparkSession:
        """The Spark of this process, started when it is first needed."""
        return connect(self.address)

    def make_ready(self, sql: str) -> None:
        """As Session says: Spark, where the query reads much."""
        with contextlib.suppress(ParseError, *self.errors):  # whoever asks it is told
            if not reads_few(self, parsed(sql)):
                _ = self.spark

    def close(self) -> None:
        """Forget this session's views and temporary tables, too."""
        for view in self.views.values():
            with contextlib.suppress(*self.errors):  # it is gone with a JVM that was killed
                self.spark.catalog.dropTempView(view)
        self.files.close()
        super().close()
        shutil.rmtree(self._scratch(), ignore_errors=True)

    # -- out

    def rows(self, query: str | exp.Expr, **bindings: Any) -> list[dict[str, Any]]:
        return self._asked(bound(query, bindings), Session.rows)

    def frame(self, query: str | exp.Expr, **bindings: Any) -> pd.DataFrame:
        return self._asked(bound(query, bindings), Session.frame)

    def _asked(self, tree: exp.Expr, form: Callable[[Session, exp.Expr], Any]) -> Any:
        """By DuckDB where that reads few rows; what it has not the memory for that it is given here is Spark's, too."""
        if reads_few(self, tree):
            try:
                return form(self, near(self, tree))
            except duckdb.OutOfMemoryException:
                # of a transaction, which has ended with the error; or over nothing that Spark could share out
                if not self.memory or not stored_tables(self, tree):
                    raise
        return self._answer(tree, form)

    def _answer(self, tree: exp.Expr, form: Callable[[Session, exp.Expr], Any]) -> Any:
        """Rows that came from Spark pass through DuckDB's reader of Arrow: both engines answer in the same types."""
        try:
            arrow = self._collect(self._data(tree))
        except self.errors as error:
            raise QueryRefused(str(error).strip().split(" SQLSTATE:")[0].split("\n")[0]) from None
        self.files.connection.register("answer", arrow)
        try:
            return form(self.files, exp.select("*").from_("answer"))
        finally:
            self.files.connection.unregister("answer")

    def _collect(self, data: sql.DataFrame) -> Any:
        """All that ever comes to the driver comes through here."""
        return data.toArrow()

    def count(self, source: exp.Expr) -> int:
        name = table_name(source) if isinstance(source, exp.Table) else ""
        place = self.place(name) if name and name not in self.records else None
        if place is None or place.query:
            return self.scalar("SELECT COUNT(*) AS rows FROM $source", source=source)
        return sum(place.folders.values())

    def copy_to(self, query: exp.Expr, file: Path, **options: Any) -> int:
        """As Session says. The rows come in their order to one Parquet file, DuckDB makes the file of it."""
        folder = self._scratch() / uuid.uuid4().hex
        if reads_few(self, query):
            self._write_here(query, folder)
        else:
            self._data(query).coalesce(1).write.parquet(str(folder))
        return self.files.copy_to(exp.select("*").from_(scan_parquet(folder / PARQUET)), file, **options)

    def interrupt(self) -> None:
        super().interrupt()
        if "spark" in vars(self):
            halt(self.spark)

    def explain(self, sql: str, error: Exception) -> tuple[int | None, str]:
        """As Session says; Spark's lines would be those of the translation."""
        return super().explain(sql, error) if isinstance(error, duckdb.Error) else (None, without_values(error, sql))

    # -- in

    def run(self, query: str | exp.Expr, **bindings: Any) -> None:
        tree = bound(query, bindings)
        target = tree.find(exp.Table) if isinstance(tree, exp.Insert | exp.Update | exp.Delete) else None
        name = table_name(target) if target else ""
        if self._is_record(name, tree):
            super().run(tree)
        elif isinstance(tree, exp.Insert):
            self._insert(name, tree)
        elif isinstance(tree, exp.Delete):
            self._delete(name, tree)
        elif isinstance(tree, exp.Update):
            self._replace(name, changed_by_update(tree, self.columns(table(name))))
        else:
            raise NotImplementedError(f"no statement of ours on Spark: {to_sql(tree)[:80]}")

    def create_temporary(self, name: str, query: str | exp.Expr) -> None:
        query = parsed(query) if isinstance(query, str) else query
        whole = whole_table(query)
        place = self.place(whole) if whole and whole not in self.records else None
        if place is None or place.query:
            self._bring(name, self._written(query, self._scratch() / uuid.uuid4().hex))
        else:  # what is stored does not change: a second name is enough
            super().create_temporary(name, exp.select("*").from_(table(whole)))
            self.temporary[name] = place

    def load_file(self, name: str, query: str | exp.Expr, *more: exp.Expr, **files: exp.Expr) -> None:
        self.files.load_file(name, query, *more, **files)
        self._bring_loaded(name)

    def lend_frame(self, name: str, frame: pd.DataFrame) -> None:
        self.files.lend_frame(name, frame)

    def load_frame(self, name: str, frame: pd.DataFrame) -> None:
        self.files.load_frame(name, frame)
        self._bring_loaded(name)

    def create_table(self, name: str, query: exp.Expr, near: str = "") -> None:  # noqa: ARG002 (see there)
        if self._is_record(name, query):
            return super().create_table(name, query)
        place = self._written(query, self._new_folder(name))
        super().create_table(name, self._no_rows_of(place))
        return self._put(name, place)

    def create_view(self, name: str, query: exp.Expr, version: str) -> None:
        super().create_view(name, query, version)
        self._put(name, Place({}, to_sql(query)))

    def change_rows(self, name: str, delta: Delta) -> None:
        """As Session says."""
        changed = expression(
            "SELECT * FROM (SELECT $key FROM $removed UNION SELECT $key FROM $added) AS changed",
            key=[column(key) for key in delta.key], removed=table(delta.removed), added=table(delta.added),
        )  # fmt: skip
        using: list[Any] = [exp.to_identifier(key, quoted=True) for key in delta.key]
        kept = exp.select("*").from_(table(name)).join(changed, using=using, join_type="anti", join_alias="changed")
        rows = expression(
            "SELECT $columns FROM $kept AS kept UNION ALL SELECT $columns FROM $added",
            columns=[column(key) for key in self.columns(table(name))], kept=kept, added=table(delta.added),
        )  # fmt: skip
        self._replace(name, rows)
        self.set_version(name, str(uuid.uuid4()))

    def drop(self, name: str) -> None:
        super().drop(name)
        self._put(name, Place({}))

    # -- within

    def place(self, name: str) -> Place:
        """Where the rows of a table are. Raises QueryRefused where there is no such table."""
        if name in self.temporary:
            return self.temporary[name]
        if not self.has_table(name):
            raise QueryRefused(f"there is no table {name}")
        found = "SELECT folder, rows, query FROM main.place WHERE name = ?"
        places = self.connection.execute(found, [name]).fetchall()
        query = next((query for _, _, query in places if query), "")
        return Place({folder: rows for folder, rows, _ in places if folder}, query)

    def _put(self, name: str, place: Place) -> None:
        """Make a place the one that counts."""
        self.connection.execute("DELETE FROM main.place WHERE name = ?", [name])
        rows = [(name, folder, rows, None) for folder, rows in place.folders.items()]
        for row in [*rows, (name, None, None, place.query)] if place.query else rows:
            self.connection.execute("INSERT INTO main.place VALUES (?, ?, ?, ?)", row)

    def _bring(self, name: str, place: Place) -> None:
        """A temporary table whose rows are in a place."""
        super().create_temporary(name, self._no_rows_of(place))
        self.temporary[name] = place

    def _bring_loaded(self, name: str) -> None:
        self._bring(name, self._copied(exp.select("*").from_(table(name)))._replace(has_read=True))
        self.files.run("DROP TABLE $loaded", loaded=table(name))

    def _no_rows_of(self, place: Place) -> exp.Query:
        """An empty table of the columns that a folder's files have."""
        (folder,) = place.folders
        rows = scan_parquet(self.root / folder / PARQUET)
        rows.this.append("expressions", exp.EQ(this=exp.to_identifier("hive_partitioning"), expression=exp.false()))
        kinds = self.files.columns(rows)
        nulls = [exp.cast(exp.null(), exp.DataType.build(kind, dialect="duckdb")) for kind in kinds.values()]
        named = [null.as_(name, quoted=True) for name, null in zip(kinds, nulls, strict=True)]
        return exp.select(*named).where(exp.false())

    def _replace(self, name: str, query: exp.Expr) -> None:
        """Other rows in a table of the same columns; its version stays."""
        columns = self.columns(table(name))
        self._put(name, self._written(as_columns(query, list(columns), columns), self._new_folder(name)))

    def _insert(self, name: str, tree: exp.Insert) -> None:
        columns, place, batch = self.columns(table(name)), self.place(name), None
        query = listed_values(tree.expression)
        if isinstance(tree.this, exp.Schema):
            names = [target.name for target in tree.this.expressions]
        else:
            names = query.named_selects if tree.args.get("by_name") else list(columns)
        if self._is_by_batch(name):  # the rows of a statement are of one batch, which it names
            batch = int(query.selects[names.index(BATCH)].unalias().this)
            columns.pop(BATCH)
        written = self._written(as_columns(query, names, columns), self._new_folder(name, batch))
        if any(written.folders.values()):
            self._put(name, Place({**place.folders, **written.folders}))

    def _delete(self, name: str, tree: exp.Delete) -> None:
        if not self._is_by_batch(name):
            return self._replace(name, kept_by_delete(tree))
        where = tree.args["where"].this
        if not (isinstance(where, exp.EQ) and where.this.name == BATCH):
            raise NotImplementedError(f"rows leave {name} by batches only")
        left = {f: n for f, n in self.place(name).folders.items() if f"{OF_BATCH}{where.expression.this}/" not in f}
        return self._put(name, Place(left))

    def _is_by_batch(self, name: str) -> bool:
        return name.startswith("lake.") and BATCH in self.columns(table(name))

    def _scratch(self) -> Path:
        return self.root / "scratch" / self.id

    def _new_folder(self, name: str, batch: int | None = None) -> Path:
        """A folder of a table that nobody has used. Raises PermissionError for readers."""
        read_only = "SELECT readonly FROM duckdb_databases() WHERE database_name = current_database()"
        if self.connection.execute(read_only).fetchall()[0][0]:
            raise PermissionError(f"{name}: readers cannot change tables")
        folder = self.root / "tables" / name.replace(".", "/")
        return (folder if batch is None else folder / f"{BATCH}={batch}") / uuid.uuid4().hex

    def _written(self, query: exp.Expr, folder: Path) -> Place:
        """A query's rows in a folder of their own."""
        if reads_few(self, query):
            return Place({str(folder.relative_to(self.root)): self._write_here(query, folder)})
        as_stored(self._data(query)).write.parquet(str(folder))
        return self._counted(folder)

    def _write_here(self, query: exp.Expr, folder: Path) -> int:
        """As Spark would write the rows, by DuckDB; gives how many."""
        rows = near(self, query)
        kinds = self.columns(exp.Subquery(this=rows.copy(), alias=exp.to_identifier("q")))
        if any(storable(kind) != kind for kind in kinds.values()):
            rows = as_columns(rows, list(kinds), kinds)
        return super().copy_to(rows, folder / "rows.parquet", format="parquet")

    def _copied(self, query: exp.Expr) -> Place:
        """Rows that DuckDB has read, in a folder for Spark."""
        folder = self._scratch() / uuid.uuid4().hex
        self.files.copy_to(query, folder / "rows.parquet", format="parquet")
        return self._counted(folder)

    def _counted(self, folder: Path) -> Place:
        return Place({str(folder.relative_to(self.root)): self.files.count(scan_parquet(folder / PARQUET))})

    def _data(self, query: exp.Expr) -> sql.DataFrame:
        return self.spark.sql(self._translated(query))

    def _translated(self, query: exp.Expr) -> str:
        """For Spark, with this session's views in the place of the tables."""
        query = query.copy()
        for name, mention in tables_of(query):
            mention.set("alias", alias_of(mention))
            mention.set("this", exp.to_identifier(self._view(name), quoted=True))
            mention.set("db", None)
        return spark_sql(query)

    def _view(self, name: str) -> str:
        if name in self.records:
            return self._view_of_record(name)
        place = self.place(name)
        if place.query:
            text = self._translated(parse(place.query))
            return self._viewed(text, lambda: self.spark.sql(text))
        columns = self.columns(table(name))
        return self._viewed((name, *columns, *place.folders), lambda: self._read(columns, place))

    def _view_of_record(self, name: str) -> str:
        """The rows that a record has now, for Spark to join."""
        rows = self.connection.sql(f"SELECT * FROM {to_sql(table(name))}").to_arrow_table()

        def copied() -> sql.DataFrame:
            self.files.connection.register("record", rows)
            place = self._copied(exp.select("*").from_("record"))
            self.files.connection.unregister("record")
            return self._read(self.columns(table(name)), place)

        return self._viewed((name, str(rows.to_pydict())), copied)

    def _viewed(self, what: Any, data: Callable[[], sql.DataFrame]) -> str:
        if what not in self.views:
            view = f"clv_{self.id[:8]}_{len(self.views)}"
            data().createOrReplaceTempView(view)
            self.views[what] = view
        return self.views[what]

    def _read(self, columns: dict[str, str], place: Place) -> sql.DataFrame:
        kinds = {quoted(key): as_spark(kind) for key, kind in columns.items()}
        if not place.folders:
            nulls = (f"CAST(NULL AS {kind}) AS {name}" for name, kind in kinds.items())
            return self.spark.sql(f"SELECT {', '.join(nulls)} WHERE FALSE")
        folders = [str(self.root / folder) for folder in place.folders]
        reader = self.spark.read.schema(", ".join(f"{name} {kind}" for name, kind in kinds.items()))
        if OF_BATCH in folders[0]:
            reader = reader.option("basePath", folders[0].split(OF_BATCH)[0])
        return reader.parquet(*folders).select(*kinds)

    def _is_record(self, name: str, query: exp.Expr) -> bool:
        """Whether a statement writes a record. Raises QueryRefused where it asks other tables."""
        if name in self.records and not all(asked in self.records for asked, _ in mentions(query)):
            raise QueryRefused(f"{name} can be made of the workbook's records alone")
        return name in self.records
