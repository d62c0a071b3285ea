"""Which customer ids are one person: the columns whose equal values join them, and what keeps them apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from clv_helpers.config.datasets import PRIMARY_IDENTITY, ColumnContract
from clv_helpers.config.validation import Strict

Attributes = Literal["customers", "purchases"]
SAYING = ("customers", "purchases")  # the datasets that say by what a customer is known


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) else value


class Identities(Strict):
    """Joins the customer ids that an equal e-mail address, phone number or second id shows to be one person.

    The person goes by the oldest of the ids. Taking this out, or changing it, undoes it with the next refresh.
    """

    join: list[str] = Field(min_length=1)
    """columns of `purchases` or `customers`, the most certain first: rows of equal e-mail address, phone number or
    other text are one person's; addresses and numbers are compared in one way of writing"""
    at_most: int = Field(default=30, ge=2, le=1_000)
    """a value that more ids bear joins none of them"""
    apart: str = "first_name"
    """a column that tells the persons of a household apart: ids of which its first word differs are not joined; empty:
    none does"""
    keep: Literal["newest", "oldest"] | list[Attributes] = "newest"
    """of attributes that the ids give differently, which holds; or whose: `[customers, purchases]` takes from the
    purchases what the customers do not say, such as an e-mail address. Whoever declined e-mails under one id has
    declined them"""
    ignore: list[str] = []
    """values that join nobody, beside role addresses and placeholders, such as the shop's own: `"*@our-shop.com"`"""
    calling_code: Annotated[str, BeforeValidator(_as_text), Field(pattern=r"^[1-9]\d{0,2}$|^$")] = ""
    """what phone numbers without one are given, such as `44`; none: those with and without stay different"""


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
