"""Stage 6: what came back from the campaigns, what they added, and whom to write to next."""

from clv_helpers.campaigns.attribution_views import attribution
from clv_helpers.campaigns.effect_views import checks, effect_table, effects, ground_truth, next_steps
from clv_helpers.campaigns.rate_views import delivery_funnel, glossary, rates, rejected, summary
from clv_helpers.campaigns.recommendation import NoRecommendedAudience, recommended_audience
from clv_helpers.campaigns.record import results
from clv_helpers.campaigns.tables import build, build_within, needs_campaigns

__all__ = [
    "NoRecommendedAudience",
    "attribution",
    "build",
    "build_within",
    "checks",
    "delivery_funnel",
    "effect_table",
    "effects",
    "glossary",
    "ground_truth",
    "needs_campaigns",
    "next_steps",
    "rates",
    "recommended_audience",
    "rejected",
    "results",
    "summary",
]
