"""The section `acquisition` of the params: what says by which channel customers came; its costs are a source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from clv_helpers.config.attributes import Aggregate, attribute_kind
from clv_helpers.config.datasets import COSTS, PRIMARY_IDENTITY
from clv_helpers.config.validation import Strict

if TYPE_CHECKING:
    from clv_helpers.config.params import Params


class Acquisition(Strict):
    """By which channel customers came, whose cost `sources.costs` tells."""

    channel: str = Field(min_length=1)
    """what of the profile tells the channel, campaign, product or discount of a customer's beginning: a column of texts
    of `customers`, `first_product`, or an attribute `{first: purchases.channel}`, `{first: web.campaign}`"""


def check_acquisition(params: Params) -> None:
    """Raise ValueError for a channel that does not tell a customer's beginning, or that nothing can be said of."""
    if params.acquisition is None:
        if COSTS in params.sources:
            raise ValueError(
                "acquisition is missing beside sources.costs; allowed: the channel, such as {channel: first_product}"
            )
        return
    if params.lifetime is None:
        raise ValueError("acquisition needs lifetime: its margin, and what customers will still bring")
    allowed, given = channels(params), params.acquisition.channel
    if given not in allowed:
        first = "an attribute such as first_channel: {first: purchases.channel}"
        raise ValueError(f"acquisition.channel is {given!r}; allowed: {', '.join([*allowed, first])}")


def channels(params: Params) -> list[str]:
    """What of the profile may tell a channel: texts that name nobody, and do not move once a customer has come."""
    columns = params.contract("customers").values()
    of_customers = [
        each.name
        for each in columns
        if each.type == "text" and not (each.personal or each.identity) and each.name != PRIMARY_IDENTITY
    ]
    firsts = [
        name
        for name, each in params.attributes.items()
        if isinstance(each, Aggregate)
        and each.kind == "first"
        and each.in_last is None
        and attribute_kind(params, name) == "text"
    ]
    return [*of_customers, *(["first_product"] if params.has_products else []), *firsts]
