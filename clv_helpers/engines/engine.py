"""The engine that a workbook names. DuckDB is embedded: one file that is written, and a published copy that is read."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb

from clv_helpers import progress
from clv_helpers.engines import spill
from clv_helpers.engines.dialect import literal, table, to_sql
from clv_helpers.engines.session import Session
from clv_helpers.errors import UserError
from clv_helpers.files import copy_file, owner_only

# The name under which the file is attached. The file's own, lake, would be taken for the schema lake.
STORE = "store"
# Nothing is fetched from the network because SQL names it, and no variable of this process is taken for a table.
NOTHING_FETCHED = (
    "SET autoinstall_known_extensions = false; SET autoload_known_extensions = false; "
    "SET python_enable_replacements = false"
)
# What DuckDB says of a file that is no database, is damaged, or is of another version.
NOT_READ = re.compile(
    "not a valid DuckDB database|read enough bytes|[Cc]orrupt|[Cc]hecksum|version number|newer version"
)
# The form of the tables that only come in or are written by Python (all others are built anew). A lake of another one
# is refused by name: a change that cannot read the rows of before gets the next number, and a line in CHANGELOG.
LAYOUT = 1
# Before lakes were marked: the tables that were called otherwise.
OF_LAYOUT_0 = (
    "SELECT COUNT(*) FROM duckdb_tables() WHERE schema_name = 'lake' AND table_name IN ('loyalty_events', 'members')"
)
NOT_WRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)


class LakeBusyError(UserError):
    """Another process holds the lake for longer than we are ready to wait."""

    def __init__(self, workbook: str, holder: str, patience: float):
        super().__init__(
            f"{workbook}: {holder} is writing to the lake, and did not finish within {patience:.0f} seconds; "
            "wait for it or stop it, then run again"
        )


class LakeUnwritable(UserError):
    """The disk has no room for the lake, or lets nobody write there."""

    def __init__(self, workbook: str, folder: Path, reason: str):
        super().__init__(f"{workbook}: {folder} cannot be written: {reason}; what was not committed is undone")


class LakeUnreadable(UserError):
    """A file of tables is damaged, or no database that this version reads."""

    def __init__(self, workbook: str, file: Path, is_lake: bool):
        mend = "put a backup in its place, or move it away and bring the files in anew with clv ingest"
        mend = mend if is_lake else "move it away, and clv refresh makes it anew"
        super().__init__(f"{workbook}: {file} cannot be read: it is damaged, or of another version; {mend}")


class LakeOfAnotherVersion(UserError):
    """A lake whose tables have a form that this version does not read."""

    def __init__(self, workbook: str, file: Path, layout: int):
        age = "a newer" if layout > LAYOUT else "an older"
        super().__init__(
            f"{workbook}: {file} was written by {age} version (its tables have layout {layout}, this version reads "
            f"{LAYOUT}); use that version, or move it away and bring the files in anew with clv ingest"
        )


class MemoryTooSmall(UserError):
    """A query needs more memory at once than DuckDB may take, whatever it puts on the disk."""

    def __init__(self, workbook: str, memory: str):
        allowed = f"the {memory} of `memory` in the params" if memory else "DuckDB takes of this machine's"
        super().__init__(f"{workbook}: it needs more memory than {allowed}; allowed: more of it, or fewer rows at once")


class NothingPublished(UserError):
    """There is nothing to read yet: no refresh has passed its checks."""

    def __init__(self, workbook: str):
        super().__init__(f"nothing is published yet in {workbook}: run stage 1 first")


class Engine:
    """The lake (one writer at a time) and its published copy (any number of readers).

    `lake`, `published`: the files that are there once something was written, and published. `patience`: for how many
    seconds a writer waits for another one before LakeBusyError. `workbook`: whose lake it is, for messages.
    """

    has_files = False  # of the tables, beside the lake

    def __init__(self, lake: Path, published: Path, patience: float = 30.0, *, memory: str = ""):
        self.lake, self.published, self.patience, self.memory = lake, published, patience, memory
        self.workbook = lake.parent.name
        self._open: duckdb.DuckDBPyConnection | None = None  # within `kept_open`
        self._keeps_open, self._threads = False, 0

    @contextlib.contextmanager
    def kept_open(self, threads: int = 0) -> Iterator[None]:
        """For the writes of one piece of work: the lake is opened once, at the first of them. Other processes wait.

        To open and close it takes a tenth of the time in which one event is folded into all that is made of it.
        `threads`: of the engine, where the work is too small to be shared out; 0: as many as there are cores.
        """
        self._keeps_open, self._threads = True, threads
        try:
            yield
        finally:
            self._keeps_open = False
            self._let_go()

    def _let_go(self) -> None:
        if self._open:
            self._open.close()
        self._open = None

    def _session(self, connection: duckdb.DuckDBPyConnection, memory: str = "") -> Session:
        return Session(connection, memory)

    def _shut_off(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Leave SQL no way to files or the network."""
        connection.execute("SET enable_external_access = false")

    @contextlib.contextmanager
    def write(self, publish: bool = False, files: bool = False) -> Iterator[Session]:
        """One transaction on the lake, committed at the end, rolled back on any error; then perhaps published.

        With `files` its SQL may read and write files, as for what comes in and goes out; else it has no way to them
        or the network: an analyst's own tables and checks are built in it.
        A second writer waits up to `patience` seconds, then LakeBusyError says which process holds the lake.
        """
        with self._unwritable():
            self.lake.parent.mkdir(parents=True, exist_ok=True)
            owner_only(self.lake.parent)
            spill.remove_left(self.lake.parent)
            connection = self._connection(files)
        try:
            with self._unwritable(), contextlib.closing(connection):
                self._meet(connection)
                if not files:
                    self._shut_off(connection)
                connection.execute("BEGIN")
                with contextlib.closing(
                    self._session(connection)
                ) as session:  # on an error it undoes what was not committed
                    yield session
                    session.finish()
                    if publish:
                        progress.step("publishing the tables")
                        self._publish(connection)
        finally:
            owner_only(self.lake.parent)

    def _connection(self, files: bool) -> duckdb.DuckDBPyConnection:
        """A connection to the lake of one's own; within `kept_open` one more to the lake that is open.

        Where that has been shut off from files and is to read some, it is opened anew.
        """
        if self._open and files and not reaches_files(self._open):
            self._let_go()
        if not self._keeps_open:
            return self._open_waiting()
        if not self._open:
            self._open = self._open_waiting()
            if self._threads:
                self._open.execute(f"SET threads = {self._threads:d}")
        return _in_the_store(self._open.cursor())

    def _meet(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Read the layout of the lake, or mark it. Raises LakeOfAnotherVersion."""
        try:
            [layout] = connection.execute(f"SELECT {STORE}.main.layout()").fetchone() or [0]
        except duckdb.CatalogException:  # a new lake, or one of before lakes were marked
            [of_before] = connection.execute(OF_LAYOUT_0).fetchone() or [0]
            layout = 0 if of_before else LAYOUT
            if layout == LAYOUT:
                connection.execute(f"CREATE MACRO {STORE}.main.layout() AS {LAYOUT}")
        if layout != LAYOUT:
            raise LakeOfAnotherVersion(self.workbook, self.lake, layout)

    @contextlib.contextmanager
    def _unwritable(self) -> Iterator[None]:
        """What the operating system has against writing the lake, as a sentence."""
        try:
            yield
        except (duckdb.Error, OSError) as error:
            # DuckDB passes on the system's words alone, and an OSError may be of any other file
            place = Path(getattr(error, "filename", None) or self.lake)
            self._raise_if_known(error, self.lake)
            of_lake = self.lake.is_relative_to(place) or place.is_relative_to(self.lake.parent)
            reason = next((words for words in map(os.strerror, NOT_WRITTEN) if words in str(error)), "")
            if not of_lake or not reason:
                raise
            raise LakeUnwritable(self.workbook, self.lake.parent, reason) from None

    def _raise_if_known(self, error: Exception, file: Path) -> None:
        """Raise LakeUnreadable where a file of tables is damaged, MemoryTooSmall where that is what an error says."""
        if isinstance(error, duckdb.Error) and NOT_READ.search(str(error)):
            raise LakeUnreadable(self.workbook, file, is_lake=file == self.lake) from None
        if isinstance(error, duckdb.OutOfMemoryException):
            raise MemoryTooSmall(self.workbook, self.memory) from None

    @contextlib.contextmanager
    def read(self, memory: str = "") -> Iterator[Session]:
        """The last published tables, read-only, with no way to files or the network.

        With `memory` (`2GB`) for SQL of others: no more than that, nothing on the disk but the tables themselves, not
        even as a log.
        Raises NothingPublished where nothing has been published yet.
        """
        if not self.published.exists():
            raise NothingPublished(self.workbook)
        with self._readable(), contextlib.closing(self._attached(self.published)) as connection:
            if memory:
                connection.execute(f"SET memory_limit = {to_sql(literal(memory))}")
                connection.execute("SET temp_directory = ''")
            self._shut_off(connection)
            if memory and not self.has_files:
                connection.execute("SET disabled_filesystems = 'LocalFileSystem'")
            connection.execute("SET lock_configuration = true")
            with contextlib.closing(self._session(connection, memory)) as session:
                yield session

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        """What is wrong with the published file, as a sentence."""
        try:
            yield
        except duckdb.Error as error:
            self._raise_if_known(error, self.published)
            raise

    @contextlib.contextmanager
    def read_latest(self) -> Iterator[Session]:
        """What is committed, read-only, also before it is published; as last published, while a process is writing.

        Makes no file and waits for nobody. Raises NothingPublished where there is neither.
        """
        try:
            connection = _in_the_store(self._open.cursor()) if self._open else self._attached(self.lake)
        except duckdb.Error:  # there is no lake, or its writer has it
            with self.read() as session:
                yield session
            return
        with contextlib.closing(connection), contextlib.closing(self._session(connection)) as session:
            yield session

    def _publish(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Copy the file as committed, and swap it in by rename: who reads the old one goes on reading it.

        Cost: one file copy, see `files.copy_file`.
        """
        connection.execute(f"CHECKPOINT {STORE}")
        with self._swapped_in() as beside:
            copy_file(self.lake, beside)

    @contextlib.contextmanager
    def _swapped_in(self) -> Iterator[Path]:
        """A file beside the published one, which takes its place at the end; after an error nothing of it stays."""
        beside = self.published.with_name("published.part.duckdb")
        log = beside.with_name(f"{beside.name}.wal")
        log.unlink(missing_ok=True)  # of a process that was killed here
        try:
            yield beside
            beside.replace(self.published)
        except BaseException:
            for file in (beside, log):
                file.unlink(missing_ok=True)
            raise

    def publish_only(self, name: str) -> None:
        """Publish a record of runs alone, beside the tables as last published: it must be seen though a run failed.

        Nothing where nothing has been published yet. Cost: a copy of the published file, and of this table.
        """
        if not self.published.exists():
            return
        self._let_go()  # what is kept open has been shut off from files
        with self._unwritable(), self._swapped_in() as beside, contextlib.closing(self._open_waiting()) as connection:
            copy_file(self.published, beside)
            connection.execute(f"ATTACH {to_sql(literal(str(beside)))} AS beside")
            quoted = to_sql(table(name))
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS beside.{to_sql(table(name.split('.')[0]))}")
            connection.execute(f"CREATE OR REPLACE TABLE beside.{quoted} AS SELECT * FROM {quoted}")
            connection.execute("CHECKPOINT beside")
            connection.execute("DETACH beside")

    def _attached(self, file: Path) -> duckdb.DuckDBPyConnection:
        """A file for a reader."""
        connection = attached(file)
        self._limit(connection, spill.of_a_reader(self.lake.parent))
        return connection

    def _limit(self, connection: duckdb.DuckDBPyConnection, place: Path) -> None:
        """What a connection may take of memory, and where that goes which does not fit."""
        connection.execute(f"SET temp_directory = {to_sql(literal(str(place)))}")
        if self.memory:
            connection.execute(f"SET memory_limit = {to_sql(literal(self.memory))}")

    def _open_waiting(self) -> duckdb.DuckDBPyConnection:
        attach = f"ATTACH {to_sql(literal(str(self.lake)))} AS {STORE}"
        deadline = time.monotonic() + self.patience
        while True:
            connection = duckdb.connect()
            try:
                connection.execute(NOTHING_FETCHED)
                self._limit(connection, spill.of_the_writer(self.lake.parent))
                connection.execute(attach)
                return _in_the_store(connection)
            except (duckdb.IOException, duckdb.BinderException) as error:
                connection.close()
                holder = re.search(r"PID (\d+)", str(error))
                if not holder and "already attached" not in str(error):
                    raise
                if time.monotonic() > deadline:
                    who = f"process {holder[1]}" if holder else "this process itself"
                    raise LakeBusyError(self.workbook, who, self.patience) from None
                time.sleep(0.05)


def _in_the_store(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """A connection with the settings that are its own."""
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET python_enable_replacements = false")
    connection.execute("SET enable_progress_bar = false")  # it would stand among a command's results
    connection.execute(f"USE {STORE}")
    return connection


def reaches_files(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether SQL may still read and write any file."""
    [(reaches,)] = connection.execute("SELECT current_setting('enable_external_access')").fetchall()
    return bool(reaches)


def attached(file: Path) -> duckdb.DuckDBPyConnection:
    """A file, read-only, in an instance of its own, as a file's settings hold for all who have it open."""
    connection = duckdb.connect()
    try:
        connection.execute(NOTHING_FETCHED)
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")
        connection.execute(f"ATTACH {to_sql(literal(str(file)))} AS {STORE} (READ_ONLY)")
        connection.execute(f"USE {STORE}")
    except duckdb.Error:
        connection.close()
        raise
    return connection


def open_engine(
    address: str,
    folder: Path,
    *,
    metadata_tables: frozenset[str] = frozenset(),
    spark_above: int = 0,
    memory: str = "",
) -> Engine:
    """`duckdb`, or a Spark (spark://local[2], spark://host:7077, sc://host:15002); its tables are in the folder.

    `metadata_tables`: those of a few rows per run, which Spark's driver keeps by itself; it also works out what reads
    no more than `spark_above` rows. `memory`: the most that DuckDB takes (`4GB`); empty: what it takes by itself.
    """
    if address == "duckdb":
        return Engine(folder / "lake.duckdb", folder / "published.duckdb", memory=memory)
    from clv_helpers.engines.spark.engine import SparkEngine

    return SparkEngine(
        address, folder / "spark", metadata_tables=metadata_tables, spark_above=spark_above, memory=memory
    )
