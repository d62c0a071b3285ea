"""Stage 6: what came back from the campaigns, what they added, and what to do next."""

from clv_helpers.campaigns.build import build, build_within, needs_campaigns
from clv_helpers.campaigns.next_audience import NoNextAudience, next_audience
from clv_helpers.campaigns.record import results
from clv_helpers.campaigns.shown import glossary, rates, reach, set_aside, summary
from clv_helpers.campaigns.shown_lift import checks, effects, lift, next_steps, planted, targeting

__all__ = [
    "NoNextAudience",
    "build",
    "build_within",
    "checks",
    "effects",
    "glossary",
    "lift",
    "needs_campaigns",
    "next_audience",
    "next_steps",
    "planted",
    "rates",
    "reach",
    "results",
    "set_aside",
    "summary",
    "targeting",
]
