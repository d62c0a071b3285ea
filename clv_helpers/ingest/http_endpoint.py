"""The HTTP endpoint of the stream on 127.0.0.1: events are judged as those of a file, and acknowledged once on disk."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from clv_helpers.config.datasets import EVENT_KEY
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.duckdb.session import DuckDBSession
from clv_helpers.files import write_atomically
from clv_helpers.ingest.request_journal import Journal
from clv_helpers.ingest.staging import IngestError, stage

MAX_BYTES = 16_000_000
Event = dict[str, Any]  # a JSON object, keyed by the headers of the params
Fault = dict[str, Any]  # a reason, and where it is known the event's number, column and value


class EndpointStopped(Exception):
    """An error that nobody foresaw has ended the worker: what still waits for it is not accepted."""


@dataclass
class PendingRequest:
    """One request: its events, and the answer that it waits for."""

    dataset: str
    events: list[Event]
    answer: asyncio.Future[list[Fault]] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def settle(self, answer: list[Fault] | Exception) -> None:
        """Give the answer, unless whoever sent the request has gone."""
        if self.answer.done():
            return
        if isinstance(answer, Exception):
            self.answer.set_exception(answer)
        else:
            self.answer.set_result(answer)


class Endpoint:
    """Accepts events by HTTP. All that wait at one moment are judged together, and written with one fsync."""

    def __init__(self, workbook: Workbook, journals: dict[str, Journal]):
        self.workbook, self.journals = workbook, journals
        self.waiting: asyncio.Queue[PendingRequest] = asyncio.Queue()
        self.stopped = False

    async def post(self, request: Request) -> Response:
        """POST /<dataset>: an event or an array of events, keyed by the headers of the params. All or none."""
        dataset = request.path_params["dataset"]
        if dataset not in self.journals:
            return _refusal(404, [{"reason": f"no dataset {dataset!r}; allowed: {', '.join(self.journals)}"}])
        body = await _body(request)
        if body is None:
            return _refusal(413, [{"reason": f"more than {MAX_BYTES:,} bytes; send fewer events at once"}])
        try:
            events = read_events(body)
        except ValueError as error:
            return _refusal(400, [{"reason": str(error)}])
        try:
            faults = await self._judged(PendingRequest(dataset, events))
        except OSError as error:
            return _refusal(503, [{"reason": f"the events could not be kept ({error.strerror}); send them again"}])
        except EndpointStopped:
            return _refusal(503, [{"reason": "the server stops after an error; send the events again when it is back"}])
        if faults:
            return _refusal(400, faults)
        known = {column.header for column in self.workbook.params.contract(dataset).values()}
        unknown = sorted({name for event in events for name in event} - known)
        return JSONResponse({"accepted": len(events)} | ({"unknown_columns": unknown} if unknown else {}))

    async def _judged(self, request: PendingRequest) -> list[Fault]:
        if self.stopped:
            raise EndpointStopped
        await self.waiting.put(request)
        return await request.answer

    async def work(self) -> None:
        """Answer requests until cancelled. However it ends, no request waits on: each is answered or refused."""
        requests: list[PendingRequest] = []
        try:
            while True:
                requests = [await self.waiting.get(), *self._also_waiting()]
                for dataset in dict.fromkeys(request.dataset for request in requests):
                    await self._answer(dataset, [request for request in requests if request.dataset == dataset])
        finally:
            self.stopped = True
            for request in [*requests, *self._also_waiting()]:
                request.settle(EndpointStopped())

    def _also_waiting(self) -> list[PendingRequest]:
        return [self.waiting.get_nowait() for _ in range(self.waiting.qsize())]

    async def _answer(self, dataset: str, requests: list[PendingRequest]) -> None:
        answers: Sequence[list[Fault] | OSError]
        try:
            answers = await asyncio.to_thread(self._keep, dataset, [request.events for request in requests])
        except OSError as error:
            answers = [error] * len(requests)
        for request, answer in zip(requests, answers, strict=True):
            request.settle(answer)

    def _keep(self, dataset: str, requests: list[list[Event]]) -> list[list[Fault]]:
        """Judge requests, and write those without a fault to the journal: gives the faults of each."""
        faults = self._faults_of_requests(dataset, requests)
        good = [event for events, wrong in zip(requests, faults, strict=True) if not wrong for event in events]
        if good:
            self.journals[dataset].append([json.dumps(event) for event in good])
        return faults

    def _faults_of_requests(self, dataset: str, requests: list[list[Event]]) -> list[list[Fault]]:
        try:
            faults = iter(self._faults(dataset, [event for events in requests for event in events]))
        except IngestError as error:
            if len(requests) == 1:
                return [[{"reason": str(error)}]]
            return [self._faults_of_requests(dataset, [events])[0] for events in requests]
        by_request = [itertools.islice(faults, len(events)) for events in requests]
        return [[{"event": number} | fault for number, fault in enumerate(part) if fault] for part in by_request]

    def _faults(self, dataset: str, events: list[Event]) -> list[Fault]:
        """What the ingestion would find wrong with each event, found by its own code; empty: nothing."""
        scratch = self.journals[dataset].folder / "judged.jsonl"
        write_atomically(scratch, "".join(f"{json.dumps(event)}\n" for event in events))
        contract = [
            dataclasses.replace(column, required=column.required or column.name == EVENT_KEY)
            for column in self.workbook.params.contract(dataset).values()
        ]
        with contextlib.closing(duckdb.connect()) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            session = DuckDBSession(connection)
            stage(session, self.workbook, dataset, scratch, contract)
            rows = session.rows(
                'SELECT _column AS "column", _value AS "value", _reason AS reason FROM staged ORDER BY _row'
            )
        return [row if row["reason"] else {} for row in rows]


def application(endpoint: Endpoint, lifespan: Any) -> Starlette:
    """The endpoint as a web application; `lifespan` runs what goes on beside it, the endpoint's worker too."""
    return Starlette(routes=[Route("/{dataset}", endpoint.post, methods=["POST"])], lifespan=lifespan)


def read_events(body: bytes) -> list[Event]:
    """The events of a request. Raises ValueError, with a sentence, for anything but one object or an array of them."""
    try:
        content = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no JSON: {error}") from None
    events = content if isinstance(content, list) else [content]
    if not events or not all(isinstance(event, dict) for event in events):
        raise ValueError("allowed: one JSON object, or an array of at least one")
    return events


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


async def _body(request: Request) -> bytes | None:
    """The request's body; None where it is too long, of which no more is read than that."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            return None
    return bytes(body)


def _refusal(status: int, faults: list[Fault]) -> JSONResponse:
    return JSONResponse({"accepted": 0, "rejected": faults}, status_code=status)
