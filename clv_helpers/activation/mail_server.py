"""A mail server reached: the connection, one message through it, and a journal by which each is sent once."""

from __future__ import annotations

import json
import os
import re
import smtplib
import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from email.utils import parseaddr
from pathlib import Path

from clv_helpers.activation.destination import Outcome
from clv_helpers.config.destinations import DestinationError
from clv_helpers.config.mail_server import MailServer


@contextmanager
def connected(params: MailServer, name: str, ca_file: Path | None) -> Iterator[smtplib.SMTP]:
    """The server, encrypted and signed in. Raises DestinationError, which begins with `name`."""
    context, place, timeout = ssl.create_default_context(), (params.host, params.port), params.timeout_seconds
    if ca_file:
        context.load_verify_locations(ca_file)
    try:
        if params.tls == "implicit":
            server: smtplib.SMTP = smtplib.SMTP_SSL(*place, timeout=timeout, context=context)
        else:
            server = smtplib.SMTP(*place, timeout=timeout)
            server.starttls(context=context)
        if params.username:
            server.login(params.username, params.password)
    except (OSError, smtplib.SMTPException) as error:
        reason = f"{params.host}:{params.port} does not let us in: {_line(error)}"
        raise DestinationError(f"{name}: {reason}") from error
    with suppress(smtplib.SMTPResponseException), server:  # however it takes our goodbye
        yield server


def transmit(
    server: smtplib.SMTP, params: MailServer, name: str, message: EmailMessage, begin: Callable[[], None]
) -> str:
    """Why the server rejects a message, else "". `begin` is called before it may have it without our knowing.

    Raises DestinationError, which begins with `name`, where the connection is lost.
    """
    address = parseaddr(str(message["To"]))[1]
    if not address.isascii() and not server.has_extn("smtputf8"):
        return "the server takes no address with such letters"
    try:
        server.ehlo_or_helo_if_needed()
        code, reply = server.mail(parseaddr(params.sender)[1], [] if address.isascii() else ["SMTPUTF8"])
        if code == 250:
            code, reply = server.rcpt(address)
        if code not in (250, 251):
            server.rset()
            return _reason(code, reply)
        begin()
        code, reply = server.data(message.as_bytes())
    except smtplib.SMTPDataError as error:  # rejected before it was taken
        return _reason(error.smtp_code, error.smtp_error)
    except (OSError, smtplib.SMTPException) as error:
        reason = f"the connection to {params.host} broke: {_line(error)}"
        raise DestinationError(f"{name}: {reason}") from error
    return "" if code == 250 else _reason(code, reply)


class Journal:
    """A file of what was done for whom, a line each, on the disk before it counts: what a killed run leaves."""

    def __init__(self, file: Path):
        self.file = file
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.touch()

    def note(self, what: str, whom: str, reason: str = "") -> None:
        """Add a line. What is begun is on the disk before it begins; a lost end would but leave it in doubt."""
        with self.file.open("a", encoding="utf-8") as stream:
            stream.write("\n" + json.dumps([what, whom, reason]))
            stream.flush()
            if what == "begun":
                os.fsync(stream.fileno())

    def outcome(self) -> Outcome:
        """What the lines add up to: the last about each one, and how often one was begun without an end."""
        last: dict[str, tuple[str, str]] = {}
        lost: Counter[str] = Counter()
        for line in self.file.read_text("utf-8").splitlines():
            with suppress(ValueError):  # a torn line, of a process that was killed while it wrote, does not count
                what, whom, reason = json.loads(line)
                if what == "begun":
                    lost[whom] += 1
                elif last.get(whom, ("", ""))[0] == "begun":
                    lost[whom] -= 1
                last[whom] = (what, reason)

        def those(state: str) -> dict[str, str]:
            return {whom: reason for whom, (what, reason) in last.items() if what == state}

        in_doubt = {whom: lost[whom] for whom in those("begun")}
        return Outcome([*those("delivered")], those("rejected"), in_doubt)


def one_line(text: str) -> str:
    """A text on one line."""
    return re.sub(r"\s+", " ", text).strip()


def _reason(code: int, reply: bytes | str) -> str:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return f"{code} {one_line(text)}"


def _line(error: Exception) -> str:
    return one_line(str(error)) or type(error).__name__
