"""The ground under all stages: batches in, tables built in order and checked, then published for readers."""

from clv_helpers.lake.ingest import batches, ingest, replay, revert, source_problems
from clv_helpers.lake.plan import MODEL, all_tables, known_columns, unknown_tables
from clv_helpers.lake.refresh import refresh, refresh_tables
from clv_helpers.lake.schema import json_schema, write_schemas, xdm_schema
from clv_helpers.lake.staging import IngestError
from clv_helpers.lake.tables import TableError

__all__ = [
    "MODEL",
    "IngestError",
    "TableError",
    "all_tables",
    "batches",
    "ingest",
    "json_schema",
    "known_columns",
    "refresh",
    "refresh_tables",
    "replay",
    "revert",
    "source_problems",
    "unknown_tables",
    "write_schemas",
    "xdm_schema",
]
