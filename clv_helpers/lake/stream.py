"""Events as they happen: taken at the door or found in a folder, and folded into the tables every few seconds."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

from clv_helpers.errors import UserError
from clv_helpers.lake.ingest import ingest
from clv_helpers.lake.journal import Journal
from clv_helpers.lake.refresh import refresh
from clv_helpers.lake.staging import IngestError
from clv_helpers.workbook import Workbook

Say = Callable[[str], None]
Follow = Callable[[Workbook], Any]


class StreamError(UserError):
    """The stream cannot begin."""


class Stream:
    """Folds what has come into batches: sealed journals, and whole files of the watched folder.

    `follow` is called after each micro-batch, once the tables are fresh. Every file is a batch of its own, known by its
    checksum, and every event by its key: a killed process that begins anew loses none and doubles none.
    """

    def __init__(self, workbook: Workbook, journals: dict[str, Journal], watched: Path, follow: list[Follow], say: Say):
        self.workbook, self.journals, self.watched = workbook, journals, watched
        self.follow, self.say = follow, say
        self.seen: dict[Path, tuple[int, int]] = {}
        self.handled: set[Path] = set()

    def fold(self, always: bool = False) -> list[dict[str, Any]]:
        """One micro-batch: gives the rows of the ledger. Tables follow if something came, or `always`."""
        started = time.perf_counter()
        rows = [row for dataset, file in self._waiting() if (row := self._ingest(dataset, file))]
        if rows or always:
            for step in self.follow:
                step(self.workbook)
        for row in rows:
            self.say(
                f"batch {row['_batch_id']}: {row['dataset']}, {row['rows_accepted']:,} events taken, "
                f"{row['rows_rejected']:,} set aside; tables fresh after {time.perf_counter() - started:.1f} s"
            )
        return rows

    def _waiting(self) -> Iterator[tuple[str, Path]]:
        for dataset, journal in self.journals.items():
            yield from ((dataset, file) for file in journal.seal())
        for dataset in self.workbook.params.sources:
            yield from (
                (dataset, file) for file in sorted((self.watched / dataset).glob("*.jsonl")) if self._is_new(file)
            )

    def _is_new(self, file: Path) -> bool:
        """Whether a file of the folder is whole: it has not changed since the last look. Each state is taken once."""
        stat = file.stat()
        state, before = (stat.st_size, stat.st_mtime_ns), self.seen.get(file)
        if state != before:
            self.seen[file] = state
            self.handled.discard(file)
            return False
        return file not in self.handled

    def _ingest(self, dataset: str, file: Path) -> dict[str, Any] | None:
        ours = file.parent == getattr(self.journals.get(dataset), "folder", None)
        try:
            row = ingest(self.workbook, dataset, [file])[0]
        except IngestError as error:
            kept = file.rename(file.with_suffix(".refused")) if ours else file
            self.handled.add(file)
            self.say(f"{error} (the file: {kept})")
            return None
        self.handled.add(file)
        if ours:
            file.unlink()
        return row if row["status"] == "success" else None


def serve(workbook: Workbook, port: int, watched: Path, every: float, follow: list[Follow], say: Say) -> None:
    """Take events until told to stop (Ctrl-C, SIGTERM); what was taken by then is folded before the end.

    Raises StreamError where the extra `stream` is not installed, another process streams into this workbook, or the
    port is taken.
    """
    try:
        import uvicorn

        from clv_helpers.lake.door import Door, application, journals
    except ImportError as error:
        raise StreamError(f"clv stream needs {error.name}: pip install 'clv-helpers[stream]'") from None
    with _alone(workbook.folder / "stream"):
        kept = journals(workbook.folder / "stream", workbook)
        if not kept:
            raise StreamError(f"{workbook.name}: no dataset has an event_id, without which a repeat cannot be told")
        for dataset in workbook.params.sources:
            (watched / dataset).mkdir(parents=True, exist_ok=True)
        stream = Stream(workbook, kept, watched, [_refresh_all, *follow], say)

        server = uvicorn.Server(uvicorn.Config("", host="127.0.0.1", port=port, log_level="error"))
        failures: list[BaseException] = []

        def stop_on_failure(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and task.exception():
                failures.append(task.exception())
                server.should_exit = True

        @contextlib.asynccontextmanager
        async def folding(_: Any) -> AsyncIterator[None]:
            task = asyncio.create_task(_fold_forever(stream, every))
            task.add_done_callback(stop_on_failure)
            say(f"taking events for {', '.join(kept)} at http://127.0.0.1:{port}/<dataset>")
            say(f"and from {watched}/<dataset>/*.jsonl, every {every:g} s")
            yield
            task.cancel()
            with contextlib.suppress(BaseException):
                await task
            await asyncio.to_thread(stream.fold)

        server.config.app = application(Door(workbook, kept), folding)
        with _listening(port) as listener:
            server.run(sockets=[listener])
        if failures:
            raise failures[0]


def _listening(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise StreamError(f"port {port} of 127.0.0.1: {error.strerror}; choose another with --port") from None
    return listener


def _refresh_all(workbook: Workbook) -> None:
    refresh(workbook, "derived", "profile", "insights")


async def _fold_forever(stream: Stream, every: float) -> None:
    """The first fold brings the tables up to date with batches that a killed process left without their refresh."""
    always = stream.workbook.engine.lake.exists()
    while True:
        folding = asyncio.create_task(asyncio.to_thread(stream.fold, always))
        always = False
        try:
            await asyncio.shield(folding)
        except asyncio.CancelledError:
            await folding  # a thread cannot be stopped: let it come to its end
            raise
        except UserError as error:
            stream.say(str(error))
        await asyncio.sleep(every)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process per workbook: the lock goes with the process, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StreamError(f"another process streams into {folder.parent.name} already") from None
        yield
