"""Oracle Eloqua's Bulk API 2.0: an import definition, staged data, a sync, and the rejected rows read back.

After Oracle's public documentation: docs.oracle.com/en/cloud/saas/marketing/eloqua-rest-api (Bulk API) and
…/eloqua-develop (limits, sync actions, status codes).
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx
import tenacity
from pydantic import Field, model_validator

from clv_helpers.activation.destination import CUSTOMER, MEMBERSHIP, Destination, Outcome, Part
from clv_helpers.config.destinations import Activation, DestinationError, DestinationParams
from clv_helpers.config.workbook import Workbook

MOST_FIELDS, MOST_BYTES, PAGE = 100, 30_000_000, 1_000  # a request may have 32 MB, an import 100 fields
ENDED = ("success", "warning", "error")


class EloquaParams(DestinationParams):
    """An Eloqua account. `columns` maps fields of the profile to internal names of contact fields."""

    type: Literal["eloqua"]
    mode: Literal["full", "incremental"] = "incremental"
    base_url: str
    company: str = Field(min_length=1)
    username: str = Field(min_length=1)
    password_variable: str = Field(min_length=1)
    identifier: str = "C_EmailAddress"
    contact_list: int | None = None
    rows_per_request: int = Field(default=5_000, ge=1, le=50_000)
    timeout_seconds: float = Field(default=60, gt=0)
    poll_seconds: float = Field(default=5, gt=0)
    longest_sync_minutes: float = Field(default=60, gt=0)
    attempts: int = Field(default=6, ge=1, le=20)
    back_off_seconds: float = Field(default=1, gt=0)

    @model_validator(mode="after")
    def _fits_the_api(self) -> EloquaParams:
        url = urlsplit(self.base_url)
        if url.scheme != "https" and url.hostname not in ("127.0.0.1", "localhost"):
            raise ValueError(f"base_url is {self.base_url!r}; allowed: https://, such as https://secure.p03.eloqua.com")
        if self.identifier not in self.columns.values():
            fields = ", ".join(self.columns.values())
            raise ValueError(f"identifier is {self.identifier!r}; allowed: one of columns: {fields}")
        if len(self.columns) > MOST_FIELDS:
            raise ValueError(f"columns is {len(self.columns)} fields; allowed: at most {MOST_FIELDS} in an import")
        return self


class Eloqua(Destination):
    """Contacts are created or updated by their identifier, and put on (or taken off) a contact list."""

    Params = EloquaParams
    rows_per_part = 50_000  # contacts of one import: well below the 250 MB that may be staged at once

    def __init__(self, workbook: Workbook, activation: Activation):
        super().__init__(workbook, activation)
        self.takes_exited = self.params.contact_list is not None

    def check(self) -> str:
        """Sign in, and see that the account has the fields that the columns name."""
        with self._client() as client:
            known = {item["internalName"] for item in self._pages(client, "/contacts/fields")}
        missing = [field for field in self.params.columns.values() if field not in known]
        if missing:
            raise DestinationError(f"{self.name}: the account has no contact field {', '.join(missing)}")
        return f"{self.params.base_url} answers, and has the {len(self.params.columns)} contact fields"

    def deliver(self, part: Part) -> Outcome:
        """One import for those who are in the audience, one for those who have left it."""
        rejected: dict[str, str] = {}
        with self._client() as client:
            for action, rows in _by_action(part).items():
                uri = self._definition(client, part, action)
                self._stage(client, uri, rows)
                rejected |= self._sync(client, uri, rows)
        return Outcome(rejected=rejected)

    def recover(self, part: Part) -> Outcome | None:
        """What the syncs gave that a killed run had started; the rest of the part is safe to deliver again."""
        if not part.spool.exists():
            return None
        delivered: list[str] = []
        rejected: dict[str, str] = {}
        with self._client() as client:
            for action, rows in _by_action(part).items():
                if sync := self._ended_sync(client, part, action):
                    rejected |= self._rejects(client, sync, rows)
                    delivered += [row[CUSTOMER] for row in rows if row[CUSTOMER] not in rejected]
        return Outcome(delivered=delivered, rejected=rejected)

    def _definition(self, client: httpx.Client, part: Part, action: str) -> str:
        """The import definition of a part: one that was never synced, without its staged data, or a new one."""
        for uri in self._definitions(client, part, action):
            if not self._syncs(client, uri):
                self._ask(client, "DELETE", f"{uri}/data")
                return uri
        lists = self.params.contact_list
        actions = [{"action": action, "destination": f"{{{{ContactList[{lists}]}}}}"}] if lists else []
        definition = {
            "name": _import_name(part, action),
            "fields": {field: f"{{{{Contact.Field({field})}}}}" for field in self.params.columns.values()},
            "identifierFieldName": self.params.identifier,
            "isSyncTriggeredOnImport": False,
            "updateRule": "always",
            "dataRetentionDuration": "P7D",
            "syncActions": actions,
        }
        return self._ask(client, "POST", "/contacts/imports", definition)["uri"]

    def _definitions(self, client: httpx.Client, part: Part, action: str) -> list[str]:
        name = _import_name(part, action)
        imports = self._pages(client, "/contacts/imports", q=f'"name={name}"')
        return [item["uri"] for item in imports if item["name"] == name]

    def _syncs(self, client: httpx.Client, uri: str) -> list[str]:
        syncs = self._pages(client, "/syncs", q=f'"syncedInstanceUri={uri}"')
        return [item["uri"] for item in syncs if item["syncedInstanceUri"] == uri]

    def _ended_sync(self, client: httpx.Client, part: Part, action: str) -> str | None:
        """The sync of a part that took the data in; one that is under way is waited for."""
        syncs = [sync for uri in self._definitions(client, part, action) for sync in self._syncs(client, uri)]
        return next((sync for sync in syncs if self._wait(client, sync) != "error"), None)

    def _stage(self, client: httpx.Client, uri: str, rows: list[dict[str, Any]]) -> None:
        """Send the rows in chunks. Where a reply is lost, all is taken away and sent again: nothing is there twice."""
        for attempt in itertools.count(1):
            try:
                for chunk in self._chunks(rows):
                    self._ask(client, "POST", f"{uri}/data", chunk, only_when_refused=True)
                return
            except _ReplyLost as error:
                if attempt >= self.params.attempts:
                    raise DestinationError(f"{self.name}: staging data failed {attempt} times: {error}") from error
                time.sleep(self.params.back_off_seconds * 2 ** (attempt - 1))
                self._ask(client, "DELETE", f"{uri}/data")

    def _chunks(self, rows: list[dict[str, Any]]) -> Iterator[list[dict[str, str]]]:
        chunk: list[dict[str, str]] = []
        size = 0
        for row in rows:
            contact = {field: "" if row[field] is None else str(row[field]) for field in self.params.columns.values()}
            weight = len(json.dumps(contact)) + 2
            if chunk and (size + weight > MOST_BYTES or len(chunk) >= self.params.rows_per_request):
                yield chunk
                chunk, size = [], 0
            chunk.append(contact)
            size += weight
        yield chunk

    def _sync(self, client: httpx.Client, uri: str, rows: list[dict[str, Any]]) -> dict[str, str]:
        """Have the staged data taken in, and wait for it; gives the rejected customers and the reasons."""
        try:
            sync = self._ask(client, "POST", "/syncs", {"syncedInstanceUri": uri}, only_when_refused=True)["uri"]
        except _ReplyLost:
            time.sleep(self.params.back_off_seconds)
            started = self._syncs(client, uri)
            sync = started[0] if started else self._ask(client, "POST", "/syncs", {"syncedInstanceUri": uri})["uri"]
        if self._wait(client, sync) == "error":
            logs = [item["message"] for item in self._pages(client, f"{sync}/logs") if item.get("severity") == "error"]
            raise DestinationError(f"{self.name}: the sync failed: {'; '.join(logs) or 'no reason is given'}")
        return self._rejects(client, sync, rows)

    def _wait(self, client: httpx.Client, sync: str) -> str:
        deadline = time.monotonic() + self.params.longest_sync_minutes * 60
        while (status := self._ask(client, "GET", sync)["status"]) not in ENDED:
            if time.monotonic() > deadline:
                raise DestinationError(
                    f"{self.name}: the sync has not ended in {self.params.longest_sync_minutes:g} min"
                )
            time.sleep(self.params.poll_seconds)
        return status

    def _rejects(self, client: httpx.Client, sync: str, rows: list[dict[str, Any]]) -> dict[str, str]:
        """The rejected customers with the reasons, matched by the identifier."""
        by_identifier: dict[str, list[str]] = {}
        for row in rows:
            by_identifier.setdefault(_key(row[self.params.identifier]), []).append(row[CUSTOMER])
        rejected = {}
        for item in self._pages(client, f"{sync}/rejects"):
            reason = f"{item.get('statusCode', '')} {item.get('message', '')}".strip()
            for customer in by_identifier.get(_key(item["fieldValues"].get(self.params.identifier)), []):
                rejected[customer] = reason
        return rejected

    @contextmanager
    def _client(self) -> Iterator[httpx.Client]:
        user = f"{self.params.company}\\{self.params.username}"
        auth = httpx.BasicAuth(user, self.params.secret(self.params.password_variable))
        base = f"{self.params.base_url.rstrip('/')}/api/bulk/2.0"
        with httpx.Client(base_url=base, auth=auth, timeout=self.params.timeout_seconds) as client:
            yield client

    def _pages(self, client: httpx.Client, path: str, **query: str) -> Iterator[dict[str, Any]]:
        for offset in itertools.count(0, PAGE):
            page = self._ask(client, "GET", path, query={**query, "limit": PAGE, "offset": offset})
            yield from page.get("items", [])
            if not page.get("hasMore"):
                return

    def _ask(
        self,
        client: httpx.Client,
        method: str,
        path: str,
        body: Any = None,
        query: dict[str, Any] | None = None,
        only_when_refused: bool = False,
    ) -> dict[str, Any]:
        """One call, repeated with back-off on 429, 5xx and lost replies; with `only_when_refused`, on 429 alone.

        Raises DestinationError, or _ReplyLost where it cannot be known whether the call was carried out.
        """

        def call() -> dict[str, Any]:
            try:
                reply = client.request(method, path, json=body, params=query)
            except httpx.TransportError as error:
                raise _ReplyLost(f"{type(error).__name__} {error}".strip()) from error
            if reply.status_code == 429:
                raise _TooMany("429 too many requests", float(reply.headers.get("Retry-After") or 0))
            if reply.status_code >= 500:
                raise _ReplyLost(f"{reply.status_code} {reply.reason_phrase}")
            if reply.status_code >= 400:
                raise DestinationError(f"{self.name}: {method} {path} gave {reply.status_code} {reply.text[:200]}")
            return reply.json() if reply.content else {}

        def wait(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            return max(back_off(state), error.retry_after if isinstance(error, _TooMany) else 0)

        repeats = (_TooMany,) if only_when_refused else (_TooMany, _ReplyLost)
        first = self.params.back_off_seconds
        back_off = tenacity.wait_exponential_jitter(multiplier=first, max=60, jitter=first)
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.params.attempts),
            retry=tenacity.retry_if_exception_type(repeats),
            wait=wait,
            reraise=True,
        )
        return retrying(call)


class _ReplyLost(DestinationError):
    """No reply, or one from which it cannot be known whether the call was carried out."""


class _TooMany(DestinationError):
    """The call was refused for now."""

    def __init__(self, message: str, retry_after: float):
        super().__init__(message)
        self.retry_after = retry_after


def _import_name(part: Part, action: str) -> str:
    return f"clv {part.run.run_id} {part.number} {action}"


def _by_action(part: Part) -> dict[str, list[dict[str, Any]]]:
    """The rows of a part by what is to be done on the contact list, in a fixed order."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in part.rows():
        groups.setdefault("remove" if row[MEMBERSHIP] == "exited" else "add", []).append(row)
    return dict(sorted(groups.items()))


def _key(value: Any) -> str:
    return str(value or "").strip().lower()
