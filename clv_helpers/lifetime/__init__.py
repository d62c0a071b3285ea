"""Stage 1, predicted lifetime value: models, holdout validation, forecast log, and what notebook 1 shows of them."""

from clv_helpers.lifetime.holdout_views import holdout
from clv_helpers.lifetime.plan_views import at_risk, plan
from clv_helpers.lifetime.prediction import record, refresh, refresh_within
from clv_helpers.lifetime.records import LifetimeRecord
from clv_helpers.lifetime.views import models, track_record, values

__all__ = [
    "LifetimeRecord", "at_risk", "holdout", "models", "plan", "record", "refresh", "refresh_within", "track_record",
    "values",
]  # fmt: skip
