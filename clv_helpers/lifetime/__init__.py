"""Stage 1: predicted lifetime value, with the proof of how far to believe it."""

from clv_helpers.lifetime.prediction import record, refresh, refresh_within
from clv_helpers.lifetime.views import models, proof, track_record, values

__all__ = ["models", "proof", "record", "refresh", "refresh_within", "track_record", "values"]
