"""The door of the stream: HTTP on 127.0.0.1. What comes in is judged as in a file; what is taken is on the disk."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator
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
Fault = dict[str, Any]


@dataclass
class Delivery:
    """One request: its events, and the answer that it waits for."""

    dataset: str
    events: list[dict[str, Any]]
    answer: asyncio.Future[list[Fault]] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Door:
    """Takes deliveries of events. All that wait at one moment are judged together, and written with one fsync."""

    def __init__(self, workbook: Workbook, journals: dict[str, Journal]):
        self.workbook, self.journals = workbook, journals
        self.waiting: asyncio.Queue[Delivery] = asyncio.Queue()

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
        delivery = Delivery(dataset, events)
        await self.waiting.put(delivery)
        try:
            faults = await delivery.answer
        except OSError as error:
            return _refusal(503, [{"reason": f"the events could not be kept ({error.strerror}); send them again"}])
        if faults:
            return _refusal(400, faults)
        known = {each.header for each in self.workbook.params.contract(dataset).values()}
        unknown = sorted({name for event in events for name in event} - known)
        return JSONResponse({"accepted": len(events)} | ({"unknown_columns": unknown} if unknown else {}))

    async def work(self) -> None:
        """Serve deliveries until cancelled."""
        while True:
            group = [await self.waiting.get()]
            while not self.waiting.empty():
                group.append(self.waiting.get_nowait())
            for dataset in dict.fromkeys(delivery.dataset for delivery in group):
                ours = [delivery for delivery in group if delivery.dataset == dataset]
                try:
                    answers: list[Any] = await asyncio.to_thread(self._take, dataset, [d.events for d in ours])
                except OSError as error:
                    answers = [error] * len(ours)
                for delivery, answer in zip(ours, answers, strict=True):
                    settle = (
                        delivery.answer.set_exception if isinstance(answer, OSError) else delivery.answer.set_result
                    )
                    if not delivery.answer.done():  # whoever sent it may have gone
                        settle(answer)

    def _take(self, dataset: str, deliveries: list[list[dict[str, Any]]]) -> list[list[Fault]]:
        """Judge deliveries, and keep those without a fault: gives the faults of each."""
        faults = self._judge(dataset, deliveries)
        good = [event for events, found in zip(deliveries, faults, strict=True) if not found for event in events]
        if good:
            self.journals[dataset].append([json.dumps(event) for event in good])
        return faults

    def _judge(self, dataset: str, deliveries: list[list[dict[str, Any]]]) -> list[list[Fault]]:
        try:
            found = iter(self._faults(dataset, [event for events in deliveries for event in events]))
        except IngestError as error:
            if len(deliveries) == 1:
                return [[{"reason": str(error)}]]
            return [self._judge(dataset, [events])[0] for events in deliveries]
        rows = [[next(found) for _ in events] for events in deliveries]
        return [[{"event": i, **fault} for i, fault in enumerate(row) if fault] for row in rows]

    def _faults(self, dataset: str, events: list[dict[str, Any]]) -> list[Fault | None]:
        """What the ingestion would find wrong with each event, found by its own code."""
        scratch = self.journals[dataset].folder / "judged.jsonl"
        write_atomically(scratch, "".join(f"{json.dumps(event)}\n" for event in events))
        contract = [
            dataclasses.replace(each, required=each.required or each.name == EVENT_KEY)
            for each in self.workbook.params.contract(dataset).values()
        ]
        with contextlib.closing(duckdb.connect()) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            session = DuckDBSession(connection)
            stage(session, self.workbook, dataset, scratch, contract)
            rows = session.rows("SELECT _column, _value, _reason FROM staged ORDER BY _row")
        return [
            {"column": row["_column"], "value": row["_value"], "reason": row["_reason"]} if row["_reason"] else None
            for row in rows
        ]


def application(door: Door, lifespan: Any) -> Starlette:
    """The door as a web application; `lifespan` runs what goes on beside it."""

    @contextlib.asynccontextmanager
    async def working(app: Starlette) -> AsyncIterator[None]:
        worker = asyncio.create_task(door.work())
        async with lifespan(app):
            yield
        worker.cancel()

    return Starlette(routes=[Route("/{dataset}", door.post, methods=["POST"])], lifespan=working)


def read_events(body: bytes) -> list[dict[str, Any]]:
    """The events of a request. Raises ValueError, with a sentence, for anything but one object or an array of them."""
    try:
        found = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no JSON: {error}") from None
    events = found if isinstance(found, list) else [found]
    if not events or not all(isinstance(event, dict) for event in events):
        raise ValueError("allowed: one JSON object, or an array of at least one")
    return events


def _settle(future: asyncio.Future[Any], answer: Any) -> None:
    if future.done():  # whoever sent it has gone
        return
    if isinstance(answer, OSError):
        future.set_exception(answer)
    else:
        future.set_result(answer)


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
