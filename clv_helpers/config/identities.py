"""Which customer ids are one person: the columns whose equal values join them, and what keeps them apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from clv_helpers.config.datasets import PRIMARY_IDENTITY, ColumnContract
from clv_helpers.config.validation import Strict

Attributes = Literal["customers", "purchases"]
SAYING = ("customers", "purchases")  # the datasets that say by what a customer is known


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) else value


class Match(Strict):
    """Finds who is on two lists of customers, though names, addresses and dates are written differently or missing."""

    lists: Annotated[list[str], Field(min_length=2, max_length=2)]
    """two datasets with customer ids: `customers`, and a source of `is: events` with a row per person, such as who
    signed up for a card, and when"""
    by: list[str] = Field(min_length=3)
    """columns that both have, which are compared: names, birth date, postal code, e-mail; the more the better"""
    threshold: float = Field(default=0.95, ge=0.5, lt=1)
    """from which probability on two are taken for one person, each for one of the other list at most"""


class Identities(Strict):
    """Joins the customer ids that an equal e-mail address, phone number or second id shows to be one person.

    The person goes by the oldest of the ids. Taking this out, or changing it, undoes it with the next refresh.
    """

    join: list[str] = []
    """columns of `purchases` or `customers`, the most certain first: rows of equal e-mail address, phone number or
    other text are one person's; addresses and numbers are compared in one way of writing"""
    match: Match | None = None
    """two lists of customers whose people are joined by likeness, too; see fuzzy_match.md"""
    at_most: int = Field(default=30, ge=2, le=1_000)
    """a value that more ids bear joins none of them"""
    apart: str = "first_name"
    """a column that tells the persons of a household apart: ids of which its first word differs are not joined, and
    two who else match where the word is wholly different; empty: none does"""
    keep: Literal["newest", "oldest"] | list[Attributes] = "newest"
    """of attributes that the ids give differently, which holds; or whose: `[customers, purchases]` takes from the
    purchases what the customers do not say, such as an e-mail address. Whoever declined e-mails under one id has
    declined them"""
    ignore: list[str] = []
    """values that join nobody, beside role addresses and placeholders, such as the shop's own: `"*@our-shop.com"`"""
    calling_code: Annotated[str, BeforeValidator(_as_text), Field(pattern=r"^[1-9]\d{0,2}$|^$")] = ""
    """what phone numbers without one are given, such as `44`; none: those with and without stay different"""

    @model_validator(mode="after")
    def _joins_something(self) -> Identities:
        if not self.join and self.match is None:
            raise ValueError("either join (columns whose equal values join) or match (two lists), or both")
        return self

    @property
    def ways(self) -> list[str]:
        """By what ids are joined, as people read it, the most certain first."""
        return [*self.join, *(["the match of " + " and ".join(self.match.lists)] if self.match else [])]


def check_identities(identities: Identities, contracts: Mapping[str, Mapping[str, ColumnContract]]) -> None:
    """Raise ValueError for a column that no dataset has; `contracts`: the columns of customers and purchases."""
    columns = {name: column.type for contract in contracts.values() for name, column in contract.items()}
    allowed = [name for name, kind in columns.items() if kind in ("text", "integer") and name != PRIMARY_IDENTITY]
    asked = {f"join[{index}]": name for index, name in enumerate(identities.join)}
    if identities.apart and "apart" in identities.model_fields_set:
        asked["apart"] = identities.apart
    for place, name in asked.items():
        if name not in allowed:
            raise ValueError(f"identities.{place} is {name!r}; allowed: {', '.join(allowed)}")


def check_match(match: Match, contracts: Mapping[str, Mapping[str, ColumnContract]]) -> None:
    """Raise ValueError for a list or a column that is not there; `contracts`: the columns of the lists that may be."""
    for index, name in enumerate(match.lists):
        others = [each for each in contracts if each not in match.lists[:index]]
        if name not in others:
            raise ValueError(f"identities.match.lists[{index}] is {name!r}; allowed: {', '.join(others) or 'no other'}")
    first, second = (contracts[name] for name in match.lists)
    both = [name for name in first if name in second and name != PRIMARY_IDENTITY]
    for index, name in enumerate(match.by):
        others = [each for each in both if each not in match.by[:index]]
        if name not in others:
            allowed = ", ".join(others) or f"no other that {' and '.join(match.lists)} both have"
            raise ValueError(f"identities.match.by[{index}] is {name!r}; allowed: {allowed}")
