"""The record of a run, run.json beside its notebooks: its settings, how each stage went, sizes of tables."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from clv_helpers.charts.rounding import rounded
from clv_helpers.config.params import Params
from clv_helpers.config.settings import Words
from clv_helpers.errors import UserError
from clv_helpers.files import write_atomically
from clv_helpers.report.last_look import LastLook

RUN = r"\d{8}-\d{6}-\d{3}"  # the name of a run
AS_OF = 50  # people, as of whom the numbers of a prediction are rounded: to a tenth


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
    as_of_day: str = ""  # the day that as_of led to; empty before the tables are built

    @property
    def day(self) -> str:
        """The day as of which the run was computed, as people write it: 10 December 2025."""
        day = dt.date.fromisoformat(self.as_of_day or self.started_at[:10])
        return f"{day.day} {day:%B %Y}"

    @property
    def min_cell(self) -> int:
        """The fewest people of whom this run's report shows a number."""
        return self.params.get("min_cell", Params.model_fields["min_cell"].default)

    @property
    def words(self) -> Words:
        """What this run's workbook calls its customers and purchases."""
        return Words(**self.params.get("words", {}))

    def of(self, stage: int) -> StageRecord:
        return self.stages[stage - 1]

    def failed(self, redone: list[int] | None = None) -> StageRecord | None:
        """The first stage that failed, but those that are run again."""
        return next((s for s in self.stages if s.status == "failed" and s.stage not in (redone or [])), None)

    def is_whole(self, folder: Path) -> bool:
        """Whether no stage failed, and the report was written."""
        return not self.failed() and bool(self.report) and (folder / self.report).exists()

    def save(self, folder: Path, look: LastLook) -> None:
        """Write run.json into the run's folder, as it may be shared: rounded, and with … for each customer in it."""
        shown = look.hidden_in(
            asdict(self) | {"tables": self._sizes(), "lifetime": _told(self.lifetime, self.min_cell)}
        )
        write_atomically(folder / "run.json", json.dumps(shown, indent=2, ensure_ascii=False))

    def _sizes(self) -> dict[str, int]:
        """The rows of each table, to the nearest five: some have one for each person."""
        sizes = [max(rows, self.min_cell) for rows in self.tables.values()]
        return dict(zip(self.tables, rounded(list(self.tables.values()), sizes, self.min_cell).tolist(), strict=True))


def _told(value: Any, min_cell: int, name: str = "") -> Any:
    """What a prediction records, without what differs with each purchase: its digest, and all digits but the first two.

    Bands of fewer than `min_cell` customers are left out. Settings and days stay.
    """
    match value:
        case dict() if name == "settings" or min_cell == 1:
            return value
        case dict():
            return {key: _told(inner, min_cell, key) for key, inner in value.items() if key != "digest"}
        case list():
            kept = [v for v in value if not isinstance(v, dict) or v.get("customers", min_cell) >= min_cell]
            return [_told(each, min_cell, name) for each in kept]
        case float():
            return float(rounded([value], [AS_OF], min_cell)[0])
        case int() if name in ("customers", "repeaters", "histories", "contracts", "running"):
            return int(rounded([value], [value], min_cell)[0])
    return value


class NoSuchRun(UserError):
    """There is no run of that name."""


def latest(
    outputs: Path, redone: list[int] | None = None, log: Callable[[str], None] = lambda _: None
) -> tuple[Path | None, RunRecord | None]:
    """The newest run of a workbook in which no stage failed, but those that are run again.

    `log` gets a sentence on one passed over. Raises NoSuchRun where there are runs, and a stage failed in each.
    """
    passed_over = ""
    for file in _records(outputs):
        record = _read(file)
        failed = record.failed(redone)
        if not failed:
            if passed_over:
                log(f"{passed_over}; run {record.run} is used, the latest in which no stage did")
            return file.parent, record
        if not passed_over:
            passed_over = f"run {record.run} failed in {failed.notebook}"
            go_on = f"mend it and go on with: clv run {record.params_file} --from {failed.stage}"
    if passed_over:
        raise NoSuchRun(f"{passed_over}, and no earlier run is whole; {go_on}")
    return None, None


def find(outputs: Path, run: str = "", log: Callable[[str], None] = lambda _: None) -> tuple[Path, RunRecord]:
    """A run by its name; where none is named, the latest in which no stage failed. Raises NoSuchRun."""
    if not run:
        folder, record = latest(outputs, log=log)
        if folder and record:
            return folder, record
    files = {file.parent.name: file for file in _records(outputs)}
    if run in files:
        return files[run].parent, _read(files[run])
    known = ", ".join(list(files)[:5])
    raise NoSuchRun(f"{outputs.name} has no run {run or 'yet'}; allowed: {known or 'clv run first'}")


def keep_latest(outputs: Path, count: int, log: Callable[[str], None] = lambda _: None) -> list[str]:
    """Delete the runs before the newest `count` whole ones, with what was noted of their delivery; gives their names.

    Nothing goes where there are fewer whole ones. Failed runs go with the whole ones around them. What cannot be
    deleted is logged.
    """
    whole = [file.parent for file in _records(outputs) if _is_whole(file)][:count]
    if len(whole) < count:
        return []
    folders = sorted(folder for folder in (outputs / "runs").iterdir() if re.fullmatch(RUN, folder.name))
    gone = [folder for folder in folders if folder.name < whole[-1].name]
    for folder in gone:
        try:
            (folder / "run.json").unlink(missing_ok=True)  # first: from here on it is no run, killed or not
            shutil.rmtree(folder)
            (outputs / "deliveries" / f"{folder.name}.jsonl").unlink(missing_ok=True)
        except OSError as error:
            log(f"run {folder.name} could not be deleted: {error.strerror}")
    return [folder.name for folder in gone]


def _is_whole(file: Path) -> bool:
    try:
        return _read(file).is_whole(file.parent)
    except NoSuchRun:
        return False


def _records(outputs: Path) -> list[Path]:
    return sorted(outputs.glob("runs/*/run.json"), reverse=True)


def _read(file: Path) -> RunRecord:
    """Raises NoSuchRun for a record that is damaged, or of another version."""
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
        return RunRecord(**{**raw, "stages": [StageRecord(**stage) for stage in raw["stages"]]})
    except (ValueError, TypeError, KeyError):
        raise NoSuchRun(f"{file} is no record of a run; delete its folder, or clv run makes a new one") from None
