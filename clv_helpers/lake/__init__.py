"""The ground under all stages: batches in, tables built in order and checked, then published for readers."""

from clv_helpers.lake.ingest import batches, ingest, replay, revert, source_problems
from clv_helpers.lake.schema import json_schema, write_schemas, xdm_schema
from clv_helpers.lake.staging import IngestError
from clv_helpers.lake.tables import TableError, build, build_tables

__all__ = [
    "IngestError",
    "TableError",
    "batches",
    "build",
    "build_tables",
    "ingest",
    "json_schema",
    "replay",
    "revert",
    "source_problems",
    "write_schemas",
    "xdm_schema",
]
