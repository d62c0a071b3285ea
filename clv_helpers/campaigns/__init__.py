"""Stage 6: what came back from the campaigns."""

from clv_helpers.campaigns.build import build
from clv_helpers.campaigns.results import results, summary

__all__ = ["build", "results", "summary"]
