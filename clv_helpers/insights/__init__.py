"""Stage 2: the star model over the derived tables, and read-only SQL on it."""

from clv_helpers.insights.analyst_sql import QueryError, query
from clv_helpers.insights.model import as_graph, checks, diagram, key_figures, migration, model, trend

__all__ = ["QueryError", "as_graph", "checks", "diagram", "key_figures", "migration", "model", "query", "trend"]
