"""The section `report` of the params: its paper, how many runs are kept, and whom the report is delivered to."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from clv_helpers.config.mail_server import MailServer, one_address
from clv_helpers.config.validation import Strict

Paper = Literal["A4", "letter"]


def _address(value: str) -> str:
    try:
        return one_address(value.strip())
    except ValueError:
        raise ValueError("one address, such as ann@example.com") from None


class Delivery(Strict):
    """Where the report goes after a scheduled run: into a folder, or by mail. Each reader gets a run's report once."""

    folder: str = ""
    """a folder, relative to this file, that gets `<workbook>-<run>.html`, and keeps as many as `keep` says"""
    mail: list[Annotated[str, AfterValidator(_address)]] = []
    """readers' addresses; each gets a mail of its own, with the key figures, the findings and up to three charts"""
    filter: dict[str, Annotated[str, BeforeValidator(str)]] = {}
    """a filter's label on a board and the choice that these readers' boards and charts begin with, such as
    `{Region: Nordics}`; key figures and findings stay those of all, and the mail says so"""
    link: str = ""
    """in the place of the file in the mail, the address of the folder in which the file is served: `https://…`"""

    @property
    def opens_with(self) -> dict[str, str]:
        """The filter as it is compared: small and capital letters alike."""
        return {label.casefold(): choice.casefold() for label, choice in self.filter.items()}

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Delivery:
        if bool(self.folder) == bool(self.mail):
            given = "given beside mail" if self.folder else "missing, and so is mail"
            raise ValueError(f"folder is {given}; allowed: one of the two, such as mail: [ann@example.com]")
        if self.link and not (self.mail and self.link.startswith("https://")):
            raise ValueError(f"link is {self.link!r}; allowed: https://…, beside mail")
        return self


class Report(Strict):
    """The paper a report is printed on, how many runs are kept, and whom it is delivered to."""

    keep: int | None = Field(default=None, ge=1, le=1_000)
    """how many of the latest runs stay, with their reports; none: all"""
    paper: Paper | None = None
    """what `clv report --pdf` prints on; none: letter where money is in USD or CAD, else A4"""
    smtp: MailServer | None = None
    """the mail server, needed where `deliver` has `mail`"""
    deliver: list[Delivery] = []
    """to whom a scheduled run (`runs: notebooks`) or `clv report PARAMS deliver` brings it"""

    @model_validator(mode="after")
    def _reaches_each_once(self) -> Report:
        readers = Counter(address.lower() for entry in self.deliver for address in entry.mail)
        twice = next((address for address, count in readers.items() if count > 1), None)
        if twice:
            raise ValueError(f"deliver is to {twice} twice; allowed: each address once, with one filter")
        served = [entry.opens_with for entry in self.deliver if entry.folder]
        unserved = next((each.link for each in self.deliver if each.link and each.opens_with not in served), None)
        if unserved:
            raise ValueError(f"deliver.link is {unserved!r}; allowed: beside a folder with the same filter")
        if readers and not self.smtp:
            raise ValueError("smtp is missing; allowed: host and sender of the mail server, as deliver has mail")
        return self
