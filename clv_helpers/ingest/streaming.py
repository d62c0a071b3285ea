"""The stream: events by HTTP and from a watched folder become small batches every few seconds, and tables follow."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from clv_helpers.config.datasets import EVENT_KEY
from clv_helpers.config.workbook import NothingToCompute, Workbook
from clv_helpers.errors import UserError
from clv_helpers.files import held
from clv_helpers.ingest import money
from clv_helpers.ingest.batch_log import Batch
from clv_helpers.ingest.loading import ingest_files, prepare, set_aside
from clv_helpers.ingest.request_journal import Journal
from clv_helpers.ingest.staging import IngestError

UNCHANGED_SECONDS = 1.0  # without a change for so long, a file of the folder counts as whole
SETTLE_SECONDS = 30.0  # rankings, sums over all and the prediction cost ten times what the customers' own tables do
Log = Callable[[str], None]


class Refresh(Protocol):
    """Brings tables up to date; `of_people_only`: what is of a customer, without rankings and sums over all."""

    def __call__(self, workbook: Workbook, /, *, of_people_only: bool) -> Any: ...


class StreamError(UserError):
    """The stream cannot begin, an error that nobody foresaw has ended it, or the tables lack something at its end."""


class Stream:
    """Turns what has come into batches: sealed journals, and whole files of the watched folder.

    `refresh` is called after a micro-batch, and again until it has succeeded: at once for what is of a customer, and
    `settle` seconds later, or at the end, for all that is made of it. Every file is a batch of its own, known by its
    checksum, and every event by its key: a killed process that begins anew loses none and doubles none.
    """

    def __init__(
        self,
        workbook: Workbook,
        journals: dict[str, Journal],
        watched: Path,
        refresh: Refresh,
        log: Log,
        *,
        settle: float = SETTLE_SECONDS,
    ):
        self.workbook, self.journals, self.watched = workbook, journals, watched
        self.refresh, self.settle = refresh, settle
        self.log, self.seen, self.handled = log, dict[Path, tuple[int, int]](), set[Path]()
        self.failure: BaseException | None = None  # which nobody foresaw: the worker has ended
        self.trouble = ""  # the sentence of an error that goes away, such as a lake that another process holds
        self.last_batch: Batch | None = None
        self.fresh_at = time.monotonic()  # when the tables were last known to hold all that had come
        # the first time also the tables of batches that a killed process left without their refresh
        self.is_stale = workbook.engine.lake.exists()
        prepare(workbook)  # what is wrong with a column's type is no event's fault
        self.unsettled_since = -math.inf if self.is_stale else None  # the oldest event that rankings may lack

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

    def health(self) -> dict[str, Any]:
        """Whether tables follow: status `ok`, or `behind` with the reason; the last batch; seconds since all was in."""
        return {
            "status": "behind" if self.trouble else "ok",
            "last_batch": self.last_batch and self.last_batch.batch_id,
            "seconds_since": round(time.monotonic() - self.fresh_at, 1),
        } | ({"reason": self.trouble} if self.trouble else {})

    def _run(self, every: float, closed: threading.Event) -> None:
        is_last = False
        while not is_last:
            is_last = closed.is_set()
            try:
                self.micro_batch(is_last)
                trouble = ""
            except UserError as error:  # what goes away is tried again
                trouble = str(error)
            if trouble and trouble != self.trouble:
                self.log(trouble)
            self.trouble = trouble
            closed.wait(every)

    def micro_batch(self, is_last: bool = False) -> list[Batch]:
        """Ingest what waits: gives its batches. Tables are refreshed where something came since they last were."""
        moment = time.monotonic()
        is_due = is_last or (self.unsettled_since is not None and moment - self.unsettled_since >= self.settle)
        # what a handful of events costs grows by a quarter where two threads share it
        with self.workbook.engine.kept_open(threads=0 if is_due else 1):
            return self._micro_batch(moment, is_last)

    def _micro_batch(self, moment: float, is_last: bool) -> list[Batch]:
        started = time.perf_counter()
        waiting = list(self._waiting())
        self.is_stale |= bool(waiting)  # also where it is the refresh that fails
        batches = [batch for dataset, file in waiting for batch in self._ingest(dataset, file)]
        if self.is_stale and self.unsettled_since is None:
            self.unsettled_since = moment
        is_due = self.unsettled_since is not None and (is_last or moment - self.unsettled_since >= self.settle)
        if self.is_stale or is_due:
            try:
                self.refresh(self.workbook, of_people_only=not is_due)
            except NothingToCompute as error:  # no purchase has come yet, or none before as_of
                self.log(str(error))
            self.unsettled_since = None if is_due else self.unsettled_since
        self.is_stale, self.fresh_at = False, moment
        for batch in batches:
            self.last_batch = batch
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
        try:
            stat = file.stat()
        except FileNotFoundError:  # taken away meanwhile
            return False
        state, before = (stat.st_size, stat.st_mtime_ns), self.seen.get(file)
        if state != before:
            self.seen[file] = state
            self.handled.discard(file)
            return False
        return file not in self.handled and time.time() - stat.st_mtime >= UNCHANGED_SECONDS

    def _ingest(self, dataset: str, file: Path) -> list[Batch]:
        """The batches of a file: one as a rule; none where it was in the lake already, or is refused."""
        journal = self.journals.get(dataset)
        if journal and file.parent == journal.folder:
            return self._ingest_acknowledged(dataset, file, journal)
        try:
            batches = ingest_files(self.workbook, dataset, [file])
        except IngestError as error:
            self.log(f"{error} (the file: {file})")
            batches = []
        self.handled.add(file)  # not where the lake is held: then it comes again
        return [batch for batch in batches if batch.status == "success"]

    def _ingest_acknowledged(self, dataset: str, file: Path, journal: Journal) -> list[Batch]:
        """What was acknowledged is never refused for another's sake.

        A refused file is parted until the odd event is alone, and that is set aside as a rejected row.
        """
        if self.workbook.params.rates:
            money.rates(self.workbook)  # a fault of theirs is none of the events': they wait
        try:
            batches = ingest_files(self.workbook, dataset, [file], acknowledged=True)
        except IngestError as error:
            if parts := journal.part(file):
                return [batch for part in parts for batch in self._ingest_acknowledged(dataset, part, journal)]
            batches = [set_aside(self.workbook, dataset, file, str(error))]
        file.unlink()
        return [batch for batch in batches if batch.status == "success"]


def serve(
    workbook: Workbook,
    port: int,
    watched: Path,
    refresh: Refresh,
    *,
    every: float,
    settle: float = SETTLE_SECONDS,
    log: Log = lambda _: None,
) -> None:
    """Accept events until stopped (Ctrl-C, SIGTERM); what was acknowledged by then is in the tables at the end.

    `every`: seconds between micro-batches; `settle`: until rankings and sums over all follow. Raises StreamError where
    the extra `stream` is not installed, another process streams into this workbook, the port is taken, no dataset has
    a key by which a repeat can be told, an error that nobody foresaw has ended a part of it (to go on accepting events
    would hide that), or the tables could not follow to the end. Raises IngestError where the params and the lake differ
    in a column's type.
    """
    try:
        import uvicorn

        from clv_helpers.ingest.http_endpoint import Endpoint, application, drop_half_sent
    except ImportError as error:
        raise StreamError(f"clv stream needs {error.name}: pip install 'clv-helpers[stream]'") from None
    with _alone(workbook.folder / "stream"), _listening(port) as listener:
        journals = _journals(workbook)
        stream = Stream(workbook, journals, watched, refresh, log, settle=settle)
        for dataset in workbook.params.sources:
            (watched / dataset).mkdir(parents=True, exist_ok=True)
        server = uvicorn.Server(uvicorn.Config("", log_level="critical"))
        stop = functools.partial(setattr, server, "should_exit", True)
        endpoint = Endpoint(workbook, journals, stop, stream.health)

        @contextlib.asynccontextmanager
        async def beside(app: Any) -> AsyncIterator[None]:
            half_sent = asyncio.create_task(drop_half_sent(server.server_state.connections))
            async with stream.beside(every, stop, app):
                yield
            half_sent.cancel()

        server.config.app = application(endpoint, beside)
        log(f"accepting events for {', '.join(journals)} at http://127.0.0.1:{port}/<dataset>")
        log(f"and from {watched}/<dataset>/*.jsonl, every {every:g} s")
        with _ending_here():
            server.run(sockets=[listener])
    failure = endpoint.failure or stream.failure
    if failure:
        raise StreamError(
            f"{workbook.name}: the stream was stopped by an error that nobody foresaw ({type(failure).__name__}: "
            f"{failure}); events that were acknowledged are kept, and come into the tables when it begins again"
        ) from failure
    if stream.trouble:
        raise StreamError(f"{stream.trouble}; events that were acknowledged are kept, and come in with the next stream")


def _journals(workbook: Workbook) -> dict[str, Journal]:
    """A journal for each dataset whose rows have a key. Raises StreamError where there is none."""
    params = workbook.params
    keyed = [name for name in params.sources if name not in params.lookups and EVENT_KEY in params.contract(name)]
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
def _ending_here() -> Iterator[None]:
    """A signal that has stopped the server is done with: uvicorn would have it end the process before it says how."""
    handlers = {each: signal.signal(each, lambda *_: None) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process per workbook: the lock goes with the process, however it ends."""
    with held(folder / "lock") as ours:
        if not ours:
            raise StreamError(f"another process streams into {folder.parent.name} already")
        yield
