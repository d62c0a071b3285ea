"""Stage 2: the star model over the derived tables, where its columns come from, and read-only SQL on it."""

from clv_helpers.engines.guarded_query import QueryError
from clv_helpers.insights.analyst_sql import Answer, people, query
from clv_helpers.insights.lineage_views import lineage
from clv_helpers.insights.star_model import (
    as_graph,
    checks,
    diagram,
    first_products,
    key_figures,
    migration,
    model,
    trend,
)
from clv_helpers.insights.year import year
from clv_helpers.models.column_lineage import LineageError

__all__ = [
    "Answer",
    "LineageError",
    "QueryError",
    "as_graph",
    "checks",
    "diagram",
    "first_products",
    "key_figures",
    "lineage",
    "migration",
    "model",
    "people",
    "query",
    "trend",
    "year",
]
