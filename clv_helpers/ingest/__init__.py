"""What comes in: files and events become batches, each row accepted or rejected with a reason."""

from clv_helpers.ingest.batch_log import Batch
from clv_helpers.ingest.loading import batches, ingest_files, replay, revert, source_problems
from clv_helpers.ingest.staging import IngestError

__all__ = ["Batch", "IngestError", "batches", "ingest_files", "replay", "revert", "source_problems"]
