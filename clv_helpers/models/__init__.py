"""Tables from SQL files: read, planned, built in order, checked, and published for readers."""

from clv_helpers.models.build import refresh, refresh_tables
from clv_helpers.models.plan import MODEL, all_tables, known_columns, unknown_tables
from clv_helpers.models.table_file import TableError

__all__ = ["MODEL", "TableError", "all_tables", "known_columns", "refresh", "refresh_tables", "unknown_tables"]
