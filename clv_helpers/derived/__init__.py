"""Stage 1: from events to deciles, recency and frequency, and a profile per customer."""

from clv_helpers.derived.attribute_views import attributes, rankings
from clv_helpers.derived.bot_views import bots
from clv_helpers.derived.identity_views import identities
from clv_helpers.derived.views import (
    batches,
    collective_accounts,
    concentration,
    contract,
    deciles,
    literal_guide_windows,
    metrics,
    not_counted,
    recency_frequency,
    rfm_segments,
    top_decile,
)

__all__ = [
    "attributes",
    "batches",
    "bots",
    "collective_accounts",
    "concentration",
    "contract",
    "deciles",
    "identities",
    "literal_guide_windows",
    "metrics",
    "not_counted",
    "rankings",
    "recency_frequency",
    "rfm_segments",
    "top_decile",
]
