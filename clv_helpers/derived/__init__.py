"""Stage 1: from events to deciles, recency and frequency, and a profile per customer."""

from clv_helpers.derived.views import (
    as_printed,
    batches,
    concentration,
    contract,
    deciles,
    figures,
    identities,
    left_out,
    recency_frequency,
    repeat_purchases,
    top_decile,
)

__all__ = [
    "as_printed",
    "batches",
    "concentration",
    "contract",
    "deciles",
    "figures",
    "identities",
    "left_out",
    "recency_frequency",
    "repeat_purchases",
    "top_decile",
]
