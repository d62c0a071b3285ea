"""The stream: events by HTTP and from a watched folder become small batches every few seconds, and tables follow."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

from clv_helpers.config.datasets import EVENT_KEY
from clv_helpers.config.workbook import Workbook
from clv_helpers.errors import UserError
from clv_helpers.files import held
from clv_helpers.ingest.batch_log import Batch
from clv_helpers.ingest.loading import ingest_files
from clv_helpers.ingest.request_journal import Journal
from clv_helpers.ingest.staging import IngestError

UNCHANGED_SECONDS = 1.0  # without a change for so long, a file of the folder counts as whole
Log = Callable[[str], None]
Refresh = Callable[[Workbook], Any]


class StreamError(UserError):
    """The stream cannot begin, or an error that nobody foresaw has ended it."""


class Stream:
    """Turns what has come into batches: sealed journals, and whole files of the watched folder.

    Each of `refreshes` is called after a micro-batch. Every file is a batch of its own, known by its checksum, and
    every event by its key: a killed process that begins anew loses none and doubles none.
    """

    def __init__(
        self, workbook: Workbook, journals: dict[str, Journal], watched: Path, refreshes: list[Refresh], log: Log
    ):
        self.workbook, self.journals, self.watched = workbook, journals, watched
        self.refreshes, self.log = refreshes, log
        self.seen: dict[Path, tuple[int, int]] = {}
        self.handled: set[Path] = set()
        self.failure: BaseException | None = None

    @contextlib.asynccontextmanager
    async def beside(self, every: float, stop: Callable[[], None], _: Any) -> AsyncIterator[None]:
        """Micro-batches go on beside the endpoint as long as that is open, and once more when it has closed."""
        closed = threading.Event()
        task = asyncio.create_task(asyncio.to_thread(self._run, every, closed))
        task.add_done_callback(lambda _: stop())
        yield
        closed.set()
        await asyncio.wait([task])
        self.failure = task.exception()

    def _run(self, every: float, closed: threading.Event) -> None:
        # the first time also the tables of batches that a killed process left without their refresh
        always, is_last = self.workbook.engine.lake.exists(), False
        while not is_last:
            is_last = closed.is_set()
            try:
                self.micro_batch(always)
            except UserError as error:  # such as a lake that another process holds: the next time, then
                self.log(str(error))
            always = False
            closed.wait(every)

    def micro_batch(self, always: bool = False) -> list[Batch]:
        """Ingest what waits: gives its batches. Tables are refreshed if something came, or `always`."""
        started = time.perf_counter()
        batches = [batch for dataset, file in self._waiting() if (batch := self._ingest(dataset, file))]
        if batches or always:
            for refresh in self.refreshes:
                refresh(self.workbook)
        for batch in batches:
            self.log(
                f"batch {batch.batch_id}: {batch.dataset}, {batch.rows_accepted:,} events accepted, "
                f"{batch.rows_rejected:,} rejected; tables fresh after {time.perf_counter() - started:.1f} s"
            )
        return batches

    def _waiting(self) -> Iterator[tuple[str, Path]]:
        for dataset, journal in self.journals.items():
            yield from ((dataset, file) for file in journal.seal())
        for dataset in self.workbook.params.sources:
            files = sorted((self.watched / dataset).glob("*.jsonl"))
            yield from ((dataset, file) for file in files if self._is_new(file))

    def _is_new(self, file: Path) -> bool:
        """Whether a file of the folder is whole: unchanged since the last look and for a second. Each comes once."""
        stat = file.stat()
        state, before = (stat.st_size, stat.st_mtime_ns), self.seen.get(file)
        if state != before:
            self.seen[file] = state
            self.handled.discard(file)
            return False
        return file not in self.handled and time.time() - stat.st_mtime >= UNCHANGED_SECONDS

    def _ingest(self, dataset: str, file: Path) -> Batch | None:
        from_journal = file.parent == getattr(self.journals.get(dataset), "folder", None)
        try:
            # what was acknowledged is never refused for what another sent under the same event_id
            batch = ingest_files(self.workbook, dataset, [file], first_holds=from_journal)[0]
        except IngestError as error:
            kept = file.rename(file.with_suffix(".refused")) if from_journal else file
            self.handled.add(file)
            self.log(f"{error} (the file: {kept})")
            return None
        self.handled.add(file)
        if from_journal:
            file.unlink()
        return batch if batch.status == "success" else None


def serve(
    workbook: Workbook, port: int, watched: Path, every: float, refreshes: list[Refresh], log: Log = lambda _: None
) -> None:
    """Accept events until stopped (Ctrl-C, SIGTERM); what was acknowledged by then is in the tables at the end.

    `every`: seconds between micro-batches. Raises StreamError where the extra `stream` is not installed, another
    process streams into this workbook, the port is taken, no dataset has a key by which a repeat can be told, or an
    error that nobody foresaw has ended a part of it: to go on accepting events would hide that.
    """
    try:
        import uvicorn

        from clv_helpers.ingest.http_endpoint import Endpoint, application, drop_half_sent
    except ImportError as error:
        raise StreamError(f"clv stream needs {error.name}: pip install 'clv-helpers[stream]'") from None
    with _alone(workbook.folder / "stream"), _listening(port) as listener:
        journals = _journals(workbook)
        for dataset in workbook.params.sources:
            (watched / dataset).mkdir(parents=True, exist_ok=True)
        server = uvicorn.Server(uvicorn.Config("", log_level="critical"))
        stop = functools.partial(setattr, server, "should_exit", True)
        endpoint = Endpoint(workbook, journals, stop)
        stream = Stream(workbook, journals, watched, refreshes, log)

        @contextlib.asynccontextmanager
        async def beside(app: Any) -> AsyncIterator[None]:
            half_sent = asyncio.create_task(drop_half_sent(server.server_state.connections))
            async with stream.beside(every, stop, app):
                yield
            half_sent.cancel()

        server.config.app = application(endpoint, beside)
        log(f"accepting events for {', '.join(journals)} at http://127.0.0.1:{port}/<dataset>")
        log(f"and from {watched}/<dataset>/*.jsonl, every {every:g} s")
        server.run(sockets=[listener])
    failure = endpoint.failure or stream.failure
    if failure:
        raise StreamError(
            f"{workbook.name}: the stream was stopped by an error that nobody foresaw ({type(failure).__name__}: "
            f"{failure}); events that were acknowledged are kept, and come into the tables when it begins again"
        ) from failure


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
