"""What comes in: files and events become batches, each row accepted or rejected with a reason."""

from clv_helpers.ingest.loading import batches, ingest, replay, revert, source_problems
from clv_helpers.ingest.staging import IngestError

__all__ = ["IngestError", "batches", "ingest", "replay", "revert", "source_problems"]
