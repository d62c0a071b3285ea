"""Events as they happen: taken at the door or found in a folder, and folded into the tables every few seconds."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

from clv_helpers.config.datasets import EVENT_KEY
from clv_helpers.config.workbook import Workbook
from clv_helpers.errors import UserError
from clv_helpers.files import held
from clv_helpers.ingest.loading import ingest
from clv_helpers.ingest.request_journal import Journal
from clv_helpers.ingest.staging import IngestError

SETTLED = 1.0  # seconds without a change after which a file of the folder is taken for whole
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
                f"{row['rows_rejected']:,} rejected; tables fresh after {time.perf_counter() - started:.1f} s"
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
        """Whether a file of the folder is whole: unchanged since the last look and for a second. Each is taken once."""
        stat = file.stat()
        state, before = (stat.st_size, stat.st_mtime_ns), self.seen.get(file)
        if state != before:
            self.seen[file] = state
            self.handled.discard(file)
            return False
        return file not in self.handled and time.time() - stat.st_mtime >= SETTLED

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

    Raises StreamError where the extra `stream` is not installed, another process streams into this workbook, the port
    is taken, or no dataset has a key by which a repeat can be told.
    """
    try:
        import uvicorn

        from clv_helpers.ingest.http_endpoint import Door, application
    except ImportError as error:
        raise StreamError(f"clv stream needs {error.name}: pip install 'clv-helpers[stream]'") from None
    with _alone(workbook.folder / "stream"), _listening(port) as listener:
        journals = _journals(workbook)
        for dataset in workbook.params.sources:
            (watched / dataset).mkdir(parents=True, exist_ok=True)
        stream = Stream(workbook, journals, watched, follow, say)
        server = uvicorn.Server(uvicorn.Config("", log_level="error"))
        folding = _Folding(stream, every, stop=lambda: setattr(server, "should_exit", True))
        server.config.app = application(Door(workbook, journals), folding.lifespan)
        say(f"taking events for {', '.join(journals)} at http://127.0.0.1:{port}/<dataset>")
        say(f"and from {watched}/<dataset>/*.jsonl, every {every:g} s")
        server.run(sockets=[listener])
        if folding.failure:
            raise folding.failure


class _Folding:
    """The folding that goes on beside the door, as long as that is open, and once more when it has closed.

    An error that nobody foresaw stops the server: to take events that never reach the tables would hide it.
    """

    def __init__(self, stream: Stream, every: float, stop: Callable[[], None]):
        self.stream, self.every, self.stop = stream, every, stop
        self.failure: BaseException | None = None

    @contextlib.asynccontextmanager
    async def lifespan(self, _: Any) -> AsyncIterator[None]:
        closed = asyncio.Event()
        task = asyncio.create_task(self._until(closed))
        yield
        closed.set()
        await task

    async def _until(self, closed: asyncio.Event) -> None:
        # the first time also the tables of batches that a killed process left without their refresh
        always = self.stream.workbook.engine.lake.exists()
        try:
            while not closed.is_set():
                await self._fold(always)
                always = False
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(closed.wait(), self.every)
            await self._fold(always)
        except Exception as error:
            self.failure = error
            self.stop()

    async def _fold(self, always: bool) -> None:
        try:
            await asyncio.to_thread(self.stream.fold, always)
        except UserError as error:  # such as a lake that another process holds: the next time, then
            self.stream.say(str(error))


def _journals(workbook: Workbook) -> dict[str, Journal]:
    """A journal for each dataset whose rows have a key. Raises StreamError where there is none."""
    contracts = {name: workbook.params.contract(name) for name in workbook.params.sources}
    keyed = [name for name, contract in contracts.items() if EVENT_KEY in contract]
    if not keyed:
        raise StreamError(f"{workbook.name}: no dataset has an event_id, without which a repeat cannot be told")
    return {name: Journal(workbook.folder / "stream" / name) for name in keyed}


def _listening(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise StreamError(f"port {port} of 127.0.0.1: {error.strerror}; choose another with --port") from None
    return listener


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process per workbook: the lock goes with the process, however it ends."""
    with held(folder / "lock") as ours:
        if not ours:
            raise StreamError(f"another process streams into {folder.parent.name} already")
        yield
