"""A mail server as params name it: where it is, how it is reached, who sends; and what an address is."""

from __future__ import annotations

import unicodedata
from email.utils import parseaddr
from typing import Literal

from pydantic import Field, model_validator

from clv_helpers.config.destinations import secret
from clv_helpers.config.validation import Strict

LONGEST_ADDRESS = 254  # of RFC 5321


class MailServer(Strict):
    """A mail server, always encrypted, and who sends."""

    host: str
    """its name"""
    port: int = Field(default=587, ge=1, le=65535)
    """its port"""
    tls: Literal["starttls", "implicit"] = "starttls"
    """how the connection is encrypted"""
    ca_file: str = ""
    """a file of certificates that are trusted; none: those of the machine"""
    username: str = ""
    """who signs in; none: nobody does"""
    password_variable: str = ""
    """the environment variable that holds the password"""
    sender: str
    """in whose name, such as `News <news@example.com>`"""
    timeout_seconds: float = Field(default=30, gt=0)
    """how long the server may say nothing"""

    @model_validator(mode="after")
    def _has_a_sender(self) -> MailServer:
        if "@" not in parseaddr(self.sender)[1]:
            raise ValueError(f"sender is {self.sender!r}; allowed: an address such as News <news@example.com>")
        return self

    @property
    def password(self) -> str:
        """The password. Raises DestinationError where its variable is not set."""
        return secret(self.password_variable)


def one_address(text: str) -> str:
    """The text, where it can be one address as a person types it; else raises ValueError.

    No quotes (a quoted comma is read as two by some), nothing invisible, and no letter that only looks like another:
    full-width ones become plain on the way.

    Example:
        >>> one_address("ann@example.com")
        'ann@example.com'
    """
    odd = any(unicodedata.category(letter)[0] in "CZ" for letter in text)
    disguised = unicodedata.normalize("NFKC", text) != unicodedata.normalize("NFC", text)
    name, _, domain = text.rpartition("@")
    if not name or not domain or '"' in text or odd or disguised or len(text.encode()) > LONGEST_ADDRESS:
        raise ValueError("the recipient is not one address")
    return text
