"""Stage 1, predicted lifetime value: models, holdout validation, forecast log, and what notebook 1 shows of them."""

from clv_helpers.lifetime.holdout_views import holdout
from clv_helpers.lifetime.prediction import record, refresh, refresh_within
from clv_helpers.lifetime.records import LifetimeRecord
from clv_helpers.lifetime.views import models, track_record, values

__all__ = ["LifetimeRecord", "holdout", "models", "record", "refresh", "refresh_within", "track_record", "values"]
