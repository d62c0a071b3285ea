"""Messages through an SMTP server: one per customer, each noted down before and after it is delivered."""

from __future__ import annotations

import functools
import hashlib
import re
import smtplib
import ssl
import time
from contextlib import AbstractContextManager
from email import message_from_bytes
from email.errors import NonASCIILocalPartDefect
from email.headerregistry import BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8, Policy
from email.utils import parseaddr
from typing import Any, Literal
from urllib.parse import quote

from jinja2 import StrictUndefined, Template, meta
from jinja2.exceptions import TemplateError
from jinja2.sandbox import SandboxedEnvironment
from pydantic import Field, model_validator

from clv_helpers.activation.destination import CUSTOMER, Destination, Outcome, Part
from clv_helpers.activation.mail_server import Journal, connected, one_line, transmit
from clv_helpers.config.destinations import Activation, DestinationParams
from clv_helpers.config.mail_server import MailServer, one_address
from clv_helpers.config.workbook import Workbook

TEMPLATES = ("subject", "text", "html", "unsubscribe_url")
UNSUBSCRIBE = "unsubscribe_url"  # may stand in text and html
LONGEST_LINE = 998  # of RFC 5322
# What a template or the e-mail package may raise over the values of one row: it is rejected, and the others are sent.
UNMAKEABLE = (TemplateError, ValueError, TypeError, ArithmeticError, LookupError, AttributeError)


class _OnOneLine(UnstructuredHeader, BaseHeader):
    """A header that is not folded: of a long link Python would make encoded words, which no receiver takes for one."""

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


_HEADERS = HeaderRegistry()
_HEADERS.map_to_type("list-unsubscribe", _OnOneLine)


class SmtpParams(MailServer, DestinationParams):
    """A mail server and a message. `columns` maps fields of the profile to the merge fields of the templates."""

    type: Literal["smtp"]
    mode: Literal["once"] = "once"
    reply_to: str = ""
    recipient: str = "email"
    subject: str = Field(min_length=1)
    text: str = Field(min_length=1)
    html: str = ""
    unsubscribe_url: str = Field(min_length=1)
    messages_per_second: float = Field(default=10, gt=0)
    delivery: Literal["at_most_once", "at_least_once"] = "at_most_once"

    @model_validator(mode="after")
    def _templates_fit(self) -> SmtpParams:
        fields = set(self.columns.values())
        if self.recipient not in fields:
            raise ValueError(f"recipient is {self.recipient!r}; allowed: one of columns: {', '.join(sorted(fields))}")
        if not self.unsubscribe_url.startswith("https://"):
            raise ValueError(
                f"unsubscribe_url is {self.unsubscribe_url!r}; allowed: https://…, for one click (RFC 8058)"
            )
        for name in TEMPLATES:
            known = fields | {UNSUBSCRIBE} if name in ("text", "html") else fields
            try:
                asked = meta.find_undeclared_variables(_environment(name).parse(getattr(self, name)))
            except TemplateError as error:
                raise ValueError(f"{name} is no template ({error}); allowed: text with {{{{ field }}}}") from None
            if asked - known:
                wrong = sorted(asked - known)[0]
                raise ValueError(f"{name} is asking for {wrong!r}; allowed: {', '.join(sorted(known))}")
        return self


class Smtp(Destination):
    """Sends a message to each customer of a part, once."""

    Params = SmtpParams
    rows_per_part = 1_000  # so many outcomes are written to the ledger at once

    def __init__(self, workbook: Workbook, activation: Activation):
        super().__init__(workbook, activation)
        self.sends_again_in_doubt = self.params.delivery == "at_least_once"

    def check(self) -> str:
        """Connect, encrypt and sign in; nothing is sent."""
        with self._connection() as server:
            server.noop()
            tls = server.sock.version() if isinstance(server.sock, ssl.SSLSocket) else "no encryption"
            signed_in = f", signed in as {self.params.username}" if self.params.username else ""
            return f"{self.params.host}:{self.params.port} answers with {tls}{signed_in}"

    def deliver(self, part: Part) -> Outcome:
        """Send the messages of a part at the rate of the params; a lost connection ends it."""
        journal = Journal(part.spool.with_suffix(".jsonl"))
        pause, free_at = 1 / self.params.messages_per_second, 0.0
        with self._connection() as server:
            for row in part.rows():
                time.sleep(max(0.0, free_at - time.monotonic()))
                free_at = time.monotonic() + pause
                self._send(server, row, journal)
        return journal.outcome()

    def recover(self, part: Part) -> Outcome | None:
        """By the journal: delivered with a reply, rejected, or begun and without a reply: in doubt."""
        return Journal(part.spool.with_suffix(".jsonl")).outcome()

    def _send(self, server: smtplib.SMTP, row: dict[str, Any], journal: Journal) -> None:
        customer = row[CUSTOMER]
        try:
            message = self.message(row)
        except UNMAKEABLE as error:
            reason = f"the message cannot be made: {error}"
        else:
            reason = transmit(server, self.params, self.name, message, lambda: journal.note("begun", customer))
            address = re.escape(str(message["To"]))  # servers repeat it, and a reason is of many
            reason = re.sub(address, "…", reason, flags=re.IGNORECASE)
        journal.note("rejected" if reason else "delivered", customer, reason)

    def message(self, row: dict[str, Any]) -> EmailMessage:
        """The message for one customer (a row of a part).

        Raises one of UNMAKEABLE: ValueError also where it would not be read as exactly what was set.
        """
        fields = {name: "" if value is None else value for name, value in row.items()}
        fields[UNSUBSCRIBE] = link = one_line(self._filled("unsubscribe_url", fields))
        if not re.fullmatch(r"https://[^\s<>\"]+", link) or not link.isascii() or len(link) > LONGEST_LINE - 20:
            raise ValueError("unsubscribe_url is no address that fits on a line")
        address = one_address(str(fields[self.params.recipient]).strip())
        # The same customer and campaign give the same id, by which a receiver knows a repetition.
        person = f"{self.activation.campaign}|{self.activation.destination}|{row[CUSTOMER]}"
        domain = parseaddr(self.params.sender)[1].rpartition("@")[2]
        message = EmailMessage((SMTP if address.isascii() else SMTPUTF8).clone(header_factory=_HEADERS))
        message["From"] = self.params.sender
        message["To"] = _plain(address)
        message["Subject"] = _plain(self._filled("subject", fields))
        if self.params.reply_to:
            message["Reply-To"] = self.params.reply_to
        message["Message-ID"] = f"<{hashlib.sha256(person.encode()).hexdigest()[:32]}@{domain}>"
        message["List-Unsubscribe"] = f"<{link}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message.set_content(self._filled("text", fields), cte="quoted-printable")
        if self.params.html:
            message.add_alternative(self._filled("html", fields), subtype="html", cte="quoted-printable")
        _check_read_back(message, address)
        return message

    def _filled(self, name: str, fields: dict[str, Any]) -> str:
        return _template(getattr(self.params, name), name).render(fields)

    def _connection(self) -> AbstractContextManager[smtplib.SMTP]:
        given = self.params.ca_file
        file = self.workbook.path(given, f"destinations.{self.name}.ca_file") if given else None
        return connected(self.params, self.name, file)


class _Quoted(str):
    """A text that is already as it may stand in an address of the web."""

    __slots__ = ()


def _quoted(value: Any) -> _Quoted:
    return value if isinstance(value, _Quoted) else _Quoted(quote(str(value), safe=""))


def _environment(name: str) -> SandboxedEnvironment:
    """Where a template is filled: html escapes what is merged, an address of the web quotes it."""
    environment = SandboxedEnvironment(autoescape=name == "html", undefined=StrictUndefined)
    if name == UNSUBSCRIBE:
        environment.finalize = environment.filters["urlencode"] = _quoted
    return environment


@functools.cache
def _template(text: str, name: str) -> Template:
    return _environment(name).from_string(text)


def _plain(text: str) -> str:
    """A merged text as the value of a header: on one line, without encoded words, which Python would decode."""
    return one_line(text).replace("=?", "= ?")


def _check_read_back(message: EmailMessage, address: str) -> None:
    """Raise ValueError where the recipient is not one address, or a receiver would read something else than was set."""
    to = message["To"]
    if (
        [each.addr_spec for each in to.addresses] != [address]
        or any(not isinstance(each, NonASCIILocalPartDefect) for each in to.defects)
        or any(each.display_name for each in to.groups)
    ):
        raise ValueError("the recipient is not one address")
    read = message_from_bytes(message.as_bytes(), policy=message.policy)
    for name in {*message.keys(), *read.keys()}:
        set_, arrived = ([str(each).strip() for each in mail.get_all(name, [])] for mail in (message, read))
        if set_ != arrived:  # but for the blank of a line that begins anew
            raise ValueError(f"its header {name} would not arrive as it was set")
    if read.defects or _bodies(read) != _bodies(message):
        raise ValueError("it would not arrive as it was set")


def _bodies(message: EmailMessage) -> list[list[bytes]]:
    """The lines of each part that is no container."""
    leaves = (each for each in message.walk() if not each.is_multipart())
    return [bytes(each.get_payload(decode=True)).splitlines() for each in leaves]
