"""What a run leaves behind beside its notebooks: run.json, with aggregates only."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from clv_helpers.engines.files import write_atomically
from clv_helpers.errors import UserError


@dataclass
class StageRecord:
    """How one stage went. `seconds` is all of it, `in_cells` without starting and stopping the kernel."""

    stage: int
    notebook: str
    status: str = "not run"  # not run, done, skipped, failed
    seconds: float = 0.0
    in_cells: float = 0.0
    message: str = ""


@dataclass
class RunRecord:
    """The content of run.json: aggregates only, no secrets, no person."""

    run: str
    workbook: str
    params_file: str
    as_of: str
    overrides: dict[str, Any]
    params: dict[str, Any]
    git_commit: str
    versions: dict[str, str]
    started_at: str
    stages: list[StageRecord]
    tables: dict[str, int] = field(default_factory=dict)
    lifetime: dict[str, Any] = field(default_factory=dict)
    report: str = ""

    def of(self, stage: int) -> StageRecord:
        return self.stages[stage - 1]

    def save(self, folder: Path) -> None:
        """Write run.json into the run's folder."""
        write_atomically(folder / "run.json", json.dumps(asdict(self), indent=2, ensure_ascii=False))


class NoSuchRun(UserError):
    """There is no run of that name."""


def latest(outputs: Path) -> tuple[Path | None, RunRecord | None]:
    """The newest run of a workbook that left a record."""
    for file in _records(outputs):
        return file.parent, _read(file)
    return None, None


def find(outputs: Path, run: str = "") -> tuple[Path, RunRecord]:
    """A run by its name; the latest where none is named. Raises NoSuchRun, which names those there are."""
    for file in _records(outputs):
        if run in ("", file.parent.name):
            return file.parent, _read(file)
    known = ", ".join(file.parent.name for file in _records(outputs)[:5])
    raise NoSuchRun(f"{outputs.name} has no run {run or 'yet'}; allowed: {known or 'clv run first'}")


def _records(outputs: Path) -> list[Path]:
    return sorted(outputs.glob("runs/*/run.json"), reverse=True)


def _read(file: Path) -> RunRecord:
    raw = json.loads(file.read_text(encoding="utf-8"))
    return RunRecord(**{**raw, "stages": [StageRecord(**stage) for stage in raw["stages"]]})
