"""Stage 2: the star model over the derived tables, and read-only SQL on it."""

from clv_helpers.insights.analyst_sql import Answer, QueryError, query
from clv_helpers.insights.model import model, trend

__all__ = ["Answer", "QueryError", "model", "query", "trend"]
