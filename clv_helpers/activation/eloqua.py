"""Oracle Eloqua's Bulk API 2.0: an import definition, staged data, a sync, and the rejected rows read back.

After Oracle's public documentation: docs.oracle.com/en/cloud/saas/marketing/eloqua-rest-api (Bulk API) and
…/eloqua-develop (limits, sync actions, status codes).
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator
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
    mode: Literal["once", "incremental", "full"] = "incremental"
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


class _NotNow(DestinationError):
    """A call that may be repeated, once `retry_after` seconds have passed."""

    def __init__(self, message: str, retry_after: float = 0):
        super().__init__(message)
        self.retry_after = retry_after


class _ReplyLost(DestinationError):
    """Something was posted, and it cannot be known whether that was carried out."""


class Eloqua(Destination):
    """Contacts are created or updated by their identifier, and put on (or taken off) a contact list."""

    Params = EloquaParams
    recovers_from_spool = True
    rows_per_part = 50_000  # contacts of one import: well below the 250 MB that may be staged at once

    def __init__(self, workbook: Workbook, activation: Activation):
        super().__init__(workbook, activation)
        self.takes_exited = self.params.contact_list is not None

    def check(self) -> str:
        """Sign in, and see that the account has the fields that the columns name."""
        known = {item["internalName"] for item in self._pages("/contacts/fields")}
        missing = [field for field in self.params.columns.values() if field not in known]
        if missing:
            raise DestinationError(f"{self.name}: the account has no contact field {', '.join(missing)}")
        return f"{self.params.base_url} answers, and has the {len(self.params.columns)} contact fields"

    def deliver(self, part: Part) -> Outcome:
        """One import for those who are in the audience, one for those who have left it."""
        rejected: dict[str, str] = {}
        for action, rows in _by_action(part).items():
            sync = self._repeated(_ReplyLost, self._import, part, action, rows)
            rejected |= self._rejects(sync, rows)
        return Outcome(rejected=rejected)

    def recover(self, part: Part) -> Outcome | None:
        """What the syncs gave that a killed run had started; the rest of the part is safe to deliver again."""
        if not part.spool.exists():
            return None
        delivered: list[str] = []
        rejected: dict[str, str] = {}
        for action, rows in _by_action(part).items():
            if sync := self._started(part, action):
                rejected |= self._rejects(sync, rows)
                delivered += [row[CUSTOMER] for row in rows if row[CUSTOMER] not in rejected]
        return Outcome(delivered=delivered, rejected=rejected)

    def _import(self, part: Part, action: str, rows: list[dict[str, Any]]) -> str:
        """Define an import, stage the rows and have them taken in; gives the sync. Called twice, it is done once."""
        if sync := self._started(part, action):
            return sync
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
        uri = self._ask("POST", "/contacts/imports", definition)["uri"]
        for chunk in self._chunks(rows):
            self._ask("POST", f"{uri}/data", chunk)
        sync = self._ask("POST", "/syncs", {"syncedInstanceUri": uri})["uri"]
        if self._ended(sync) == "error":
            logs = [item["message"] for item in self._pages(f"{sync}/logs") if item.get("severity") == "error"]
            raise DestinationError(f"{self.name}: the sync failed: {'; '.join(logs) or 'no reason is given'}")
        return sync

    def _started(self, part: Part, action: str) -> str | None:
        """The sync by which an earlier call took the data in, once it has ended; data without a sync are taken away."""
        for uri in self._found("/contacts/imports", name=_import_name(part, action)):
            syncs = self._found("/syncs", syncedInstanceUri=uri)
            if not syncs:
                self._ask("DELETE", f"{uri}/data")
            for sync in syncs:
                if self._ended(sync) != "error":
                    return sync
        return None

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

    def _ended(self, sync: str) -> str:
        """The status of a sync once it has one of those with which it ends."""
        longest = self.params.longest_sync_minutes
        deadline = time.monotonic() + longest * 60
        while (status := self._ask("GET", sync)["status"]) not in ENDED:
            if time.monotonic() > deadline:
                raise DestinationError(f"{self.name}: the sync has not ended in {longest:g} min")
            time.sleep(self.params.poll_seconds)
        return status

    def _rejects(self, sync: str, rows: list[dict[str, Any]]) -> dict[str, str]:
        """The rejected customers with the reasons, matched by the identifier."""
        identifier = self.params.identifier
        reasons = {
            _key(item["fieldValues"].get(identifier)): f"{item.get('statusCode', '')} {item.get('message', '')}".strip()
            for item in self._pages(f"{sync}/rejects")
        }
        return {row[CUSTOMER]: reasons[_key(row[identifier])] for row in rows if _key(row[identifier]) in reasons}

    def _found(self, path: str, **wanted: str) -> list[str]:
        """The addresses of what has exactly this value, as the search may give more."""
        ((key, value),) = wanted.items()
        return [item["uri"] for item in self._pages(path, q=f'"{key}={value}"') if item[key] == value]

    def _pages(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        for offset in itertools.count(0, PAGE):
            page = self._ask("GET", path, **query, limit=PAGE, offset=offset)
            yield from page.get("items", [])
            if not page.get("hasMore"):
                return

    def _ask(self, method: str, path: str, body: Any = None, **query: Any) -> dict[str, Any]:
        """One call, repeated where that is safe. Raises DestinationError, or _ReplyLost."""
        return self._repeated(_NotNow, self._call, method, path, body, query)

    def _repeated(self, error: type[DestinationError], call: Callable[..., Any], *arguments: Any) -> Any:
        """Call with back-off until it does not end with an error, or has been called as often as the params say."""

        def wait(state: tenacity.RetryCallState) -> float:
            refused = state.outcome and state.outcome.exception()
            return max(back_off(state), getattr(refused, "retry_after", 0))

        first = self.params.back_off_seconds
        back_off = tenacity.wait_exponential_jitter(multiplier=first, max=60, jitter=first)
        stop = tenacity.stop_after_attempt(self.params.attempts)
        retry = tenacity.retry_if_exception_type(error)
        return tenacity.Retrying(stop=stop, retry=retry, wait=wait, reraise=True)(call, *arguments)

    def _call(self, method: str, path: str, body: Any, query: dict[str, Any]) -> dict[str, Any]:
        params = self.params
        auth = f"{params.company}\\{params.username}", params.secret(params.password_variable)
        url, timeout = f"{params.base_url.rstrip('/')}/api/bulk/2.0{path}", params.timeout_seconds
        lost = _ReplyLost if method == "POST" else _NotNow
        try:
            reply = httpx.request(method, url, json=body, params=query, auth=auth, timeout=timeout)
        except httpx.TransportError as error:
            raise lost(f"{self.name}: {method} {path} gave no reply: {type(error).__name__} {error}".strip()) from error
        said = f"{self.name}: {method} {path} gave {reply.status_code} {reply.text[:200] or reply.reason_phrase}"
        if reply.status_code == 429:
            raise _NotNow(said, float(reply.headers.get("Retry-After") or 0))
        if reply.status_code >= 400:
            raise (lost if reply.status_code >= 500 else DestinationError)(said)
        return reply.json() if reply.content else {}


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
