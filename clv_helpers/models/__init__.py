"""Tables from SQL files: read, planned, built in order, checked, and published for readers."""

from clv_helpers.models.build import RefreshRow, refresh, refresh_tables
from clv_helpers.models.catalog import known_columns, table_catalog, unknown_tables
from clv_helpers.models.plan import MODEL, all_tables
from clv_helpers.models.table_file import TableError

__all__ = [
    "MODEL",
    "RefreshRow",
    "TableError",
    "all_tables",
    "known_columns",
    "refresh",
    "refresh_tables",
    "table_catalog",
    "unknown_tables",
]
