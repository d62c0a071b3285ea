"""Eloqua's Bulk API 2.0 on 127.0.0.1, as Oracle documents it: what is not in the contract is refused.

From docs.oracle.com/en/cloud/saas/marketing/eloqua-rest-api: contacts/imports (POST, GET), …/data (POST, DELETE),
syncs (POST, GET), syncs/{id}, …/rejects, …/logs, contacts/fields; limits: 100 fields, 32 MB a request, names of at
most 100 characters, pages of at most 1,000.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from servers import PASSWORD, USER

COMPANY = "Airline"
FIELDS = ("C_EmailAddress", "C_FirstName", "C_LastName", "C_Decile1", "C_Loyalty_Status1")
DEFINITION_KEYS = {
    "name", "fields", "identifierFieldName", "isSyncTriggeredOnImport", "updateRule", "dataRetentionDuration",
    "syncActions", "autoDeleteDuration", "isUpdatingMultipleMatchedRecords", "importPriorityUri",
}  # fmt: skip
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass
class Account:
    """The state of an account, and how the server misbehaves."""

    seconds_per_sync: float = 0.02
    imports: dict[int, dict[str, Any]] = field(default_factory=dict)
    staged: dict[int, list[dict[str, str]]] = field(default_factory=dict)
    syncs: dict[int, dict[str, Any]] = field(default_factory=dict)
    rejects: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    contacts: dict[str, dict[str, str]] = field(default_factory=dict)
    lists: dict[str, set[str]] = field(default_factory=dict)
    taken_in: Counter = field(default_factory=Counter)  # how often an address was processed
    misbehaves: list[str] = field(default_factory=list)  # next replies: "429", "503", "503 done", "hang up", "error"
    lock: threading.RLock = field(default_factory=threading.RLock)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def refuse(self, problem: str) -> tuple[int, Any]:
        return 400, {"failures": [{"constraint": problem}]}

    def create_import(self, body: dict[str, Any]) -> tuple[int, Any]:
        if set(body) - DEFINITION_KEYS:
            return self.refuse(f"unknown keys {sorted(set(body) - DEFINITION_KEYS)}")
        statements = {f"{{{{Contact.Field({name})}}}}" for name in FIELDS}
        if not body.get("name") or len(body["name"]) > 100:
            return self.refuse("name: 1 to 100 characters")
        if not 0 < len(body["fields"]) <= 100 or not set(body["fields"].values()) <= statements:
            return self.refuse("fields: 1 to 100, each an existing contact field")
        if body.get("identifierFieldName") not in body["fields"]:
            return self.refuse("identifierFieldName: one of fields")
        number = len(self.imports) + 1
        self.imports[number], self.staged[number] = {**body, "uri": f"/contacts/imports/{number}"}, []
        return 201, self.imports[number]

    def stage(self, number: int, rows: Any) -> tuple[int, Any]:
        if number not in self.imports:
            return 404, None
        fields = set(self.imports[number]["fields"])
        if not isinstance(rows, list) or not rows or any(set(row) - fields for row in rows):
            return self.refuse("data: a list of objects with the definition's fields")
        self.staged[number] += rows
        return 204, None

    def start_sync(self, body: dict[str, Any]) -> tuple[int, Any]:
        number = int(body["syncedInstanceUri"].rpartition("/")[2])
        if set(body) - {"syncedInstanceUri", "callbackUrl"} or number not in self.imports:
            return self.refuse("syncedInstanceUri: an existing definition")
        going_on = [sync["syncedInstanceUri"] for sync in self.syncs.values() if sync["ends"] > time.time()]
        if body["syncedInstanceUri"] in going_on:
            return 409, {"failures": [{"constraint": "There was a conflict."}]}
        sync = len(self.syncs) + 1
        self.syncs[sync] = {**body, "uri": f"/syncs/{sync}", "ends": time.time() + self.seconds_per_sync}
        failed = bool(self.misbehaves) and self.misbehaves[0] == "error"
        if failed:
            self.misbehaves.pop(0)
        else:
            self._take_in(sync, number)
        ended = "error" if failed else "warning" if self.rejects.get(sync) else "success"
        self.syncs[sync]["ended"] = ended
        return 201, self.sync(sync)

    def _take_in(self, sync: int, number: int) -> None:
        definition, seen = self.imports[number], set()
        identifier = definition["identifierFieldName"]
        for index, row in enumerate(self.staged[number]):
            key = row.get(identifier, "").strip().lower()
            code = "ELQ-00002" if not EMAIL.fullmatch(key) else "ELQ-00026" if key in seen else ""
            if code:
                message = {"ELQ-00002": "Invalid email addresses.", "ELQ-00026": "Duplicate identifier."}[code]
                reject = {"fieldValues": row, "statusCode": code, "message": message, "recordIndex": index + 1}
                self.rejects.setdefault(sync, []).append({**reject, "invalidFields": [identifier]})
                continue
            seen.add(key)
            self.taken_in[key] += 1
            self.contacts.setdefault(key, {}).update(row)
            for action in definition["syncActions"]:
                customers = self.lists.setdefault(action["destination"], set())
                (customers.add if action["action"] == "add" else customers.discard)(key)
        self.staged[number] = []

    def sync(self, number: int) -> dict[str, Any]:
        found = self.syncs[number]
        left = found["ends"] - time.time()
        status = found.get("ended", "pending") if left <= 0 else "pending" if left > 0.01 else "active"
        return {"syncedInstanceUri": found["syncedInstanceUri"], "uri": found["uri"], "status": status}


class Handler(BaseHTTPRequestHandler):
    """One call: signed in, within the limits, and to a path of the contract."""

    protocol_version = "HTTP/1.1"
    account: Account

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self, method: str) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size)) if size else None
        with self.account.lock:
            wrong = self.account.misbehaves.pop(0) if self.account.misbehaves[:1] not in ([], ["error"]) else ""
            if wrong == "429":
                return self._reply(429, None, {"Retry-After": "0"})
            if wrong == "503":
                return self._reply(503, None)
            status, reply = self._route(method, body, size)
        if wrong == "503 done":
            return self._reply(503, None)
        if wrong == "hang up":
            self.close_connection = True
            return self.connection.close()
        return self._reply(status, reply)

    def _route(self, method: str, body: Any, size: int) -> tuple[int, Any]:
        known = base64.b64encode(f"{COMPANY}\\{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {known}":
            return 401, None
        if size > 32_000_000:
            return 404, None
        url, account = urlsplit(self.path), self.account
        path = url.path.lower().removeprefix("/api/bulk/2.0")
        number = int(found[0]) if (found := re.findall(r"/(\d+)", path)) else 0
        match method, re.sub(r"\d+", "N", path):
            case "POST", "/contacts/imports":
                return account.create_import(body)
            case "GET", "/contacts/imports":
                return self._page(list(account.imports.values()), url.query)
            case "POST", "/contacts/imports/n/data" | "/contacts/imports/N/data":
                return account.stage(number, body)
            case "DELETE", "/contacts/imports/N/data":
                account.staged[number] = []
                return 204, None
            case "POST", "/syncs":
                return account.start_sync(body)
            case "GET", "/syncs":
                return self._page([account.sync(n) for n in account.syncs], url.query)
            case "GET", "/syncs/N":
                return 200, account.sync(number)
            case "GET", "/syncs/N/rejects":
                return self._page(account.rejects.get(number, []), url.query)
            case "GET", "/syncs/N/logs":
                failed = account.syncs[number]["ended"] == "error"
                log = {"severity": "error", "statusCode": "ELQ-00127", "message": "There was an error."}
                return self._page([log] if failed else [], url.query)
            case "GET", "/contacts/fields":
                return self._page([{"internalName": name, "name": name} for name in FIELDS], url.query)
        return 404, None

    def _page(self, items: list[dict[str, Any]], query: str) -> tuple[int, Any]:
        asked = {key: values[0] for key, values in parse_qs(query).items()}
        limit, offset = int(asked.get("limit", 1000)), int(asked.get("offset", 0))
        if not 1 <= limit <= 1000 or set(asked) - {"limit", "offset", "q", "orderBy", "totalResults", "links"}:
            return self.account.refuse("limit: 1 to 1000")
        if "q" in asked:
            name, _, value = asked["q"].strip('"').partition("=")
            items = [item for item in items if item.get(name) == value]
        page = items[offset : offset + limit]
        more = offset + limit < len(items)
        numbers = {"count": len(page), "limit": limit, "offset": offset, "totalResults": len(items), "hasMore": more}
        return 200, {"items": page, **numbers}

    def _reply(self, status: int, reply: Any, headers: dict[str, str] | None = None) -> None:
        content = b"" if reply is None else json.dumps(reply).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextlib.contextmanager
def eloqua_server() -> Iterator[Account]:
    """An account with no contacts, served on a free port."""
    account = Account()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"account": account}))
    account.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield account
    server.shutdown()
    server.server_close()
