"""The HTTP endpoint of the stream on 127.0.0.1: events are judged as those of a file, and acknowledged once on disk."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hmac
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from clv_helpers.config.datasets import EVENT_KEY
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.session import Session
from clv_helpers.ingest.request_journal import Journal
from clv_helpers.ingest.staging import IngestError, headers_of, stage

MAX_BYTES = 16_000_000
MAX_IN_FLIGHT = 64_000_000  # of the bodies of all requests that are not answered yet
SECONDS = 10.0  # for the head of a request, and for its body
HOSTS = ["127.0.0.1", "localhost"]  # another name leads here only from a page that plays tricks with DNS
TOKEN = "CLV_STREAM_TOKEN"  # noqa: S105 (the environment variable that holds it)
HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "1"}}  # of the answers with a status
Event = dict[str, Any]  # a JSON object, keyed by the headers of the params
Health = dict[str, Any]  # status, last_batch, seconds_since; reason where the tables do not follow
Fault = dict[str, Any]  # the event's number (from 0), column, value, and the reason


class Endpoint:
    """Accepts events by HTTP. An error that nobody foresaw is answered, kept as `failure`, and stops the server."""

    def __init__(
        self, workbook: Workbook, journals: dict[str, Journal], stop: Callable[[], None], health: Callable[[], Health]
    ):
        self.workbook, self.journals, self.stop, self.health = workbook, journals, stop, health
        self.failure: Exception | None = None
        self.in_flight, self.token = 0, os.environ.get(TOKEN, "")

    async def post(self, request: Request) -> Response:
        """POST /<dataset>: an event or an array of events, keyed by the headers of the params. All or none."""
        if refused := self._stranger(request):
            return refused
        dataset, body = request.path_params["dataset"], bytearray()
        if dataset not in self.journals:
            return _refusal(404, f"no dataset {dataset!r}; allowed: {', '.join(self.journals)}")
        try:
            return await self._taken(request, dataset, body)
        finally:  # until then it takes memory, also while it waits for its turn
            self.in_flight -= len(body)

    async def get_health(self, _: Request) -> Response:
        """GET /health: 200 while the tables follow, else 503 with the reason. No row, and no customer."""
        health = self.health()
        return JSONResponse(health, 200 if health["status"] == "ok" else 503)

    async def _taken(self, request: Request, dataset: str, body: bytearray) -> Response:
        """The answer to a request whose events are read into `body`, judged and kept."""
        try:
            await asyncio.wait_for(self._read(request, body), SECONDS)
            events = read_events(body)
        except TimeoutError:
            return _refusal(408, f"the body did not come within {SECONDS:g} seconds; send it again")
        except ClientDisconnect:
            return _refusal(400, "the client has gone")
        except _TooMuch as error:
            return _refusal(error.status, str(error))
        except ValueError as error:
            return _refusal(400, str(error))
        try:
            faults = await asyncio.to_thread(self._keep, dataset, events)
        except IngestError as error:
            return _refusal(400, str(error))
        except OSError as error:
            return _refusal(503, f"the events could not be kept ({error.strerror}); send them again")
        if faults:
            return JSONResponse({"accepted": 0, "rejected": faults}, status_code=400)
        known = {name for header in self._headers(dataset) for name in (header, header.split(".")[0])}
        unknown = sorted({name for event in events for name in event}.difference(known))
        return JSONResponse({"accepted": len(events)} | ({"unknown_columns": unknown} if unknown else {}))

    def _stranger(self, request: Request) -> Response | None:
        """The refusal of what a page in a browser may send without asking, or of who does not know the token."""
        if "origin" in request.headers:
            return _refusal(403, "it bears an Origin, as requests of web pages do; allowed: requests of programs")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return _refusal(415, "Content-Type is not application/json")
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.token and not hmac.compare_digest(given.encode(), self.token.encode()):
            return _refusal(401, f"Authorization is not the Bearer of {TOKEN}")
        return None

    async def _read(self, request: Request, body: bytearray) -> None:
        """Read a request into its body. Raises _TooMuch: no more of it is read than that."""
        async for chunk in request.stream():
            body += chunk
            self.in_flight += len(chunk)
            if len(body) > MAX_BYTES:
                raise _TooMuch(413, f"more than {MAX_BYTES:,} bytes; send fewer events at once")
            if self.in_flight > MAX_IN_FLIGHT:
                raise _TooMuch(503, "too much comes at once; send it again a little later")

    async def failed(self, _: Request, error: Exception) -> Response:
        """The answer to a request, and the end of the server, after an error that nobody foresaw."""
        self.failure = self.failure or error
        self.stop()
        return _refusal(503, "the server stops after an error of its own; send the events again when it is back")

    def _keep(self, dataset: str, events: list[Event]) -> list[Fault]:
        """Judge events, and write them to the journal where none has a fault: gives the faults.

        Of an event only what the params read is kept, under the headers that they name: what else somebody sends can
        then be no obstacle to the events of others in the same batch.
        """
        headers = self._headers(dataset)
        events = [{name: value for name in headers if (value := _at(event, name)) is not None} for event in events]
        faults = self._faults(dataset, events)
        if not faults:
            self.journals[dataset].append([json.dumps(event) for event in events])
        return faults

    def _headers(self, dataset: str) -> list[str]:
        return headers_of(self.workbook.params.sources[dataset], list(self.workbook.params.contract(dataset).values()))

    def _faults(self, dataset: str, events: list[Event]) -> list[Fault]:
        """What the ingestion would find wrong with the events, found by its own code."""
        contract = [
            dataclasses.replace(column, required=column.required or column.name == EVENT_KEY)
            for column in self.workbook.params.contract(dataset).values()
        ]
        with tempfile.TemporaryDirectory() as folder, contextlib.closing(duckdb.connect()) as connection:
            file = Path(folder, "request.jsonl")
            file.write_text("".join(f"{json.dumps(event)}\n" for event in events), encoding="utf-8")
            connection.execute("SET TimeZone = 'UTC'")
            session = Session(connection)
            stage(session, self.workbook, dataset, file, contract)
            rows = session.rows(
                "SELECT _row, _column, _value, _reason FROM staged WHERE NOT _reason IS NULL ORDER BY 1"
            )
        return [
            {"event": row["_row"] - 1, "column": row["_column"], "value": row["_value"], "reason": row["_reason"]}
            for row in rows
        ]


def application(endpoint: Endpoint, lifespan: Any) -> Starlette:
    """The endpoint as a web application; `lifespan` runs what goes on beside it."""
    routes = [
        Route("/health", endpoint.get_health, methods=["GET"]),
        Route("/{dataset}", endpoint.post, methods=["POST"]),
    ]
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)
    handlers = {Exception: endpoint.failed}
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers, middleware=[hosts])


def read_events(body: bytes | bytearray) -> list[Event]:
    """The events of a request. Raises ValueError, with a sentence, for anything but one object or an array of them."""
    try:
        content = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no JSON: {error}") from None
    events = content if isinstance(content, list) else [content]
    if not events or not all(isinstance(event, dict) for event in events):
        raise ValueError("allowed: one JSON object, or an array of at least one")
    return events


def _at(event: Event, header: str) -> Any:
    """The value under a header; `customer.id` is the value `id` within `customer`, unless there is one of that name."""
    value: Any = event
    for key in [header] if header in event else header.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


async def drop_half_sent(connections: set[Any]) -> None:
    """Close connections that do not send the whole head of a request in time. `connections`: uvicorn's.

    Whether it is the first on its connection or a later one: then the cycle of the one before is complete.
    """
    since: dict[tuple[Any, Any], float] = {}
    while True:
        await asyncio.sleep(SECONDS / 10)
        waiting = {(each, each.cycle) for each in connections if each.cycle is None or each.cycle.response_complete}
        since = {each: since.get(each, time.monotonic()) for each in waiting}
        for (connection, _), began in since.items():
            if time.monotonic() - began > SECONDS:
                connection.transport.close()


class _TooMuch(Exception):
    """A body that is not taken, with the status of the answer."""

    def __init__(self, status: int, reason: str):
        super().__init__(reason)
        self.status = status


def _refusal(status: int, reason: str) -> JSONResponse:
    return JSONResponse({"accepted": 0, "rejected": [{"reason": reason}]}, status, HEADERS.get(status))
