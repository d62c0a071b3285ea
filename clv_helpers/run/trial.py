"""Files read as a run reads them, into a lake that is thrown away: for what is to be known before anything is kept."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clv_helpers import ingest
from clv_helpers.config.params import Params
from clv_helpers.config.workbook import Workbook
from clv_helpers.errors import UserError
from clv_helpers.ingest import Batch, IngestError, remote

SAMPLED = 10_000  # rows of a database: all of them would be a whole pull


@dataclass(frozen=True)
class Trial(Workbook):
    """A workbook whose tables lie elsewhere; its batches, and what is wrong with files that cannot come in."""

    into: Path = Path()
    batches: tuple[Batch, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        return self.into


@contextlib.contextmanager
def trial(file: Path, params: Params) -> Iterator[Trial]:
    """Bring all files of the params in, whatever share of their rows is rejected; gone at the end.

    `file` is where the params are, or will be. What is simulated is made anew, beside the lake. Cost: that of bringing
    the files in (of a database: its first 10,000 rows), and their room on the disk.
    """
    from clv_helpers import simulate

    sources = {name: source.model_copy(update={"max_rejected_share": 1.0}) for name, source in params.sources.items()}
    changed = params.model_copy(update={"sources": sources, "engine": "duckdb"})
    with tempfile.TemporaryDirectory(prefix="clv_trial_", ignore_cleanup_errors=True) as folder:
        made = Trial(file, changed, into=Path(folder) / file.stem)
        simulate.make_sources(made)
        where_files_are = made if changed.simulate else Workbook(file, changed)
        batches: list[Batch] = []
        problems: list[str] = []
        for dataset in changed.sources:
            for each in remote.files(where_files_are, dataset):
                try:
                    batches += ingest.ingest_files(made, dataset, [each])
                except IngestError as error:
                    problems.append(str(error))
            if changed.sources[dataset].database:
                try:
                    batches += ingest.ingest_files(made, dataset, at_most=SAMPLED)
                except UserError as error:
                    problems.append(str(error))
        yield Trial(file, changed, into=made.into, batches=tuple(batches), problems=tuple(problems))
