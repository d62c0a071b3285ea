"""The ground under all stages: batches in, tables built in order and checked, then published for readers."""

from clv_helpers.lake.ingest import IngestError, ingest, source_problems
from clv_helpers.lake.tables import TableError, build, build_tables

__all__ = ["IngestError", "TableError", "build", "build_tables", "ingest", "source_problems"]
