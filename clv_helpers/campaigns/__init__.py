"""Stage 6: what came back from the campaigns, what they added, and what to do next."""

from clv_helpers.campaigns.effect_views import checks, effects, lift, next_steps, planted, targeting
from clv_helpers.campaigns.rate_views import glossary, rates, reach, rejected, summary
from clv_helpers.campaigns.recommendation import NoNextAudience, next_audience
from clv_helpers.campaigns.record import results
from clv_helpers.campaigns.tables import build, build_within, needs_campaigns

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
    "rejected",
    "results",
    "summary",
    "targeting",
]
