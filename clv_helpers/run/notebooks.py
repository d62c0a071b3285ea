"""The six notebooks in a row, through papermill: checked first, resumable, with a record of what ran."""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib.metadata
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from clv_helpers import progress
from clv_helpers.config.validation import ParamsError, Problem, nearest
from clv_helpers.config.workbook import ROOT, Workbook, find_params, notebooks_folder, outputs_folder
from clv_helpers.errors import UserError
from clv_helpers.files import owner_only, write_atomically
from clv_helpers.report.last_look import LastLook
from clv_helpers.report.run_record import RunRecord, StageRecord, keep_latest, latest
from clv_helpers.run.executed import settle
from clv_helpers.run.kernel import Kernel, started

NOTEBOOKS = notebooks_folder()
STAGES = {
    1: "1_derived_dataset",
    2: "2_insights_model",
    3: "3_dashboard",
    4: "4_audiences",
    5: "5_activation",
    6: "6_campaign_results",
}
LIBRARIES = ("duckdb", "sqlglot", "pandas", "altair", "papermill", "ipywidgets", "jupyterlab", "clv-helpers")


class RunError(UserError):
    """A stage failed, or the run cannot begin; the message names the notebook, the cell and the last line."""


def check(workbook: Workbook) -> list[Problem]:
    """Everything that can be known to be wrong before a kernel starts: sources, tables, dashboards, audiences."""
    from clv_helpers import audiences, dashboards, ingest, models
    from clv_helpers.derived import bot_scoring

    problems: list[Problem] = []
    if workbook.params.bots and (lacking := bot_scoring.lacking()):
        problems.append(Problem("", lacking, ""))
    own_sql = str(workbook.file.parent / workbook.name / "sql")  # from where the params file is named
    tables: dict[str, tuple[str, ...] | None] = {}
    with _collected(problems, own_sql):
        problems += [Problem("", sentence, "", own_sql) for sentence in models.unknown_tables(workbook)]
        tables = models.known_columns(workbook)
    for name in dashboards.names(workbook):
        with _collected(problems, own_sql):
            problems += dashboards.file_problems(workbook, name, tables)
    known = audiences.names(workbook)
    for name in known if workbook.has("purchases") else ():
        with _collected(problems, own_sql):
            problems += audiences.file_problems(workbook, name)
    if not problems:
        with _collected(problems, own_sql):  # audiences that ask for each other, or for one that is not there
            audiences.load_all(workbook)
        problems += _readers_filters(workbook)
    known = audiences.all_names(workbook)
    for index, activation in enumerate(workbook.params.activations):
        if activation.audience not in known:
            problems.append(Problem(f"activations[{index}].audience", repr(activation.audience), ", ".join(known)))
    if workbook.params.simulate is None:
        problems += [Problem("", sentence, "") for sentence in ingest.source_problems(workbook)]
    return [problem._replace(file=problem.file or str(workbook.file)) for problem in problems]


def _readers_filters(workbook: Workbook) -> list[Problem]:
    """Filters of readers of the report that are on no board."""
    from clv_helpers import dashboards

    asks = any(entry.filter for entry in workbook.params.report.deliver)
    boards = [dashboards.load(workbook, name) for name in dashboards.names(workbook) if asks]
    labels = {spec.label.casefold(): spec.label for board in boards for spec in board.filters}
    return [
        Problem(f"report.deliver[{place}].filter", repr(label), nearest(label, sorted(labels.values())))
        for place, entry in enumerate(workbook.params.report.deliver)
        for label in entry.filter
        if label.casefold() not in labels
    ]


@contextlib.contextmanager
def _collected(problems: list[Problem], own_sql: str) -> Iterator[None]:
    """Add what the block raises to the problems; what is wrong with a table is in the folder of one's own SQL."""
    from clv_helpers import models

    try:
        yield
    except ParamsError as error:
        problems += error.problems
    except models.TableError as error:
        problems.append(Problem("", str(error), "", own_sql))


def warnings(workbook: Workbook) -> list[Problem]:
    """What is allowed, but looks wrong beside what is published; none where nothing is, or on another engine."""
    from clv_helpers import audiences

    return audiences.file_warnings(workbook, *audiences.names(workbook)) if workbook.params.engine == "duckdb" else []


def run(
    params_file: Path,
    stages: list[int] | None = None,
    as_of: str = "",
    overrides: dict[str, Any] | None = None,
    log: Callable[[str], None] = lambda _: None,
) -> tuple[RunRecord, Path]:
    """Run stages (all, unless named) and write the report; gives the record and the run's folder.

    With stages named, the latest run goes on whose other stages did not fail: its other notebooks are kept, its as_of
    and overrides hold.
    Raises ParamsError before anything runs, RunError when a stage fails; run.json says how far it came.
    """
    params_file = find_params(params_file)
    goes_on = stages is not None and 1 not in stages
    folder, earlier = latest(outputs_of(params_file), stages, log) if goes_on else (None, None)
    if earlier:
        as_of, overrides = _same_run(earlier, as_of, overrides or {})
    workbook = Workbook.open(params_file, as_of, overrides)
    problems = check(workbook)
    if problems:
        raise ParamsError(str(params_file), problems)
    if goes_on and not earlier:
        raise RunError(f"{workbook.name} has no earlier run to go on from: run all stages first")
    record = earlier or _new_record(workbook, as_of, overrides or {})
    # who reads it changes nothing in it, and is told nobody
    record.params = workbook.params.model_dump(mode="json", by_alias=True, exclude={"report"})
    if not folder:
        folder = workbook.folder / "runs" / record.run
        folder.mkdir(parents=True)
        owner_only(workbook.folder)
    for left in (*folder.parent.glob("*/.*.part.ipynb"), folder / progress.NOW):  # of a run that was killed
        left.unlink(missing_ok=True)
    with progress.on_terminal(plain=False, relay=lambda: progress.relayed(folder)):
        with started(folder) as kernel:
            _run_stages(workbook, record, folder, stages or list(STAGES), log, kernel)
        _finish(workbook, record, folder)
    owner_only(workbook.folder)
    if workbook.params.report.keep:
        keep_latest(workbook.folder, workbook.params.report.keep, log)
    return record, folder


def _run_stages(
    workbook: Workbook, record: RunRecord, folder: Path, stages: list[int], log: Callable[[str], None], kernel: Kernel
) -> None:
    look = LastLook(workbook)
    for stage in stages:
        progress.step(f"{stage}/{len(STAGES)} {STAGES[stage][2:].replace('_', ' ')}")
        log(_run_stage(workbook, record, folder, stage, look, kernel))
        for doubt in _doubts(workbook) if stage == 1 else ():
            log(f"! {doubt}")
        look = LastLook(workbook) if stage == 1 else look  # from here on it knows the customers that came in


def _doubts(workbook: Workbook) -> list[str]:
    """What is odd about as_of beside the data, for who watches the run: the notebook says it too."""
    from clv_helpers.derived.as_of_doubts import doubts_of_as_of
    from clv_helpers.engines.engine import NothingPublished

    with contextlib.suppress(NothingPublished), workbook.engine.read() as session:
        return list(doubts_of_as_of(session, workbook))
    return []


def outputs_of(params_file: Path) -> Path:
    """The outputs folder of a workbook, without opening it."""
    return outputs_folder(params_file) / params_file.stem


def _run_stage(workbook: Workbook, record: RunRecord, folder: Path, stage: int, look: LastLook, kernel: Kernel) -> str:
    """Run one stage, and keep in the record how it went; gives the line to log."""
    entry = record.of(stage)
    entry.status, entry.message = "failed", "interrupted"
    record.save(folder, look)
    started = time.perf_counter()
    try:
        entry.status, entry.message = _looked_at(workbook, record, folder, stage, look, kernel)
    finally:
        entry.seconds = round(time.perf_counter() - started, 2)
        entry.in_cells = _seconds_in_cells(folder / f"{entry.notebook}.ipynb")
        record.save(folder, look)
    if entry.status == "failed":
        raise RunError(
            f"{entry.message}\nThe notebook as far as it came: {folder / entry.notebook}.ipynb\n"
            f"Once mended, go on with: clv run {record.params_file} --from {stage}"
        )
    mark = "–" if entry.status == "skipped" else "✓"
    note = f"  {entry.message}" if entry.message else ""
    return f"{mark} {stage} {entry.notebook[2:].replace('_', ' '):<18} {entry.seconds:5.1f} s{note}"


def _looked_at(
    workbook: Workbook, record: RunRecord, folder: Path, stage: int, look: LastLook, kernel: Kernel
) -> tuple[str, str]:
    """Run one notebook, and give it its name without what shows a customer; gives its status and a message for it."""
    notebook = record.of(stage).notebook
    part, shows = folder / f".{notebook}.part.ipynb", ""
    try:
        status, message = _execute(workbook, record, part, stage, kernel)
    except OSError as error:
        raise RunError(
            f"{notebook} cannot be run or written in {folder}: {error.strerror or error}\n"
            f"Once mended, go on with: clv run {record.params_file} --from {stage}"
        ) from None
    finally:
        if part.exists():
            shows = settle(look, part, folder / f"{notebook}.ipynb")
    if shows and status != "failed":
        return "failed", f"{notebook}, {shows}"
    return status, message and look.hidden(message)


def _execute(workbook: Workbook, record: RunRecord, output: Path, stage: int, kernel: Kernel) -> tuple[str, str]:
    """Run one notebook into a file; gives its status and a message for it."""
    from papermill.exceptions import PapermillExecutionError

    notebook, folder = record.of(stage).notebook, output.parent
    parameters = {
        "params_file": _from(folder, workbook.file),
        "as_of": record.as_of,
        "overrides": record.overrides,
        "run_name": record.run,
    }
    try:
        kernel.execute(NOTEBOOKS / f"{notebook}.ipynb", output, parameters)
    except PapermillExecutionError as error:
        if error.ename == "StageSkipped":
            _mark_skipped(output, error.evalue)
            return "skipped", error.evalue
        last = (error.evalue or "").strip().split("\n")[-1]
        place = f"{notebook}, cell {error.cell_index + 1} (In [{error.exec_count}])"
        return "failed", f"{place}: {error.ename}: {last}"
    return "done", ""


def _mark_skipped(file: Path, reason: str) -> None:
    """A skipped stage is no failure: in place of papermill's error banners the notebook says why, and ends there."""
    import nbformat
    from papermill.execute import remove_error_markers

    from clv_helpers.charts.show import note

    notebook = remove_error_markers(nbformat.read(file, as_version=4))
    for position, cell in enumerate(notebook.cells, 1):
        if any(output.output_type == "error" for output in cell.get("outputs", [])):
            cell.outputs = [nbformat.v4.new_output("display_data", note(reason).bundle)]
            notebook.cells = notebook.cells[:position]
            break
    write_atomically(file, nbformat.writes(notebook))


def _seconds_in_cells(file: Path) -> float:
    if not file.exists():
        return 0.0
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    durations = [cell["metadata"].get("papermill", {}).get("duration") or 0 for cell in cells]
    return round(sum(durations), 2)


def _finish(workbook: Workbook, record: RunRecord, folder: Path) -> None:
    from clv_helpers import lifetime, report
    from clv_helpers.config.datasets import PRIMARY_IDENTITY
    from clv_helpers.engines.dialect import table

    with workbook.engine.read() as session:
        record.as_of_day = str(workbook.as_of(session)) if workbook.has("purchases") else ""
        names = session.tables()
        of_people = {name for name in names if PRIMARY_IDENTITY in session.columns(table(name))}
        sizes = {name: session.count(table(name)) for name in names}
        record.tables = {n: rows for n, rows in sizes.items() if not (n in of_people and 0 < rows < record.min_cell)}
    record.lifetime = lifetime.record(workbook).as_dict()
    record.report = report.write(workbook, record, folder).name
    record.save(folder, LastLook(workbook))


def _new_record(workbook: Workbook, as_of: str, overrides: dict[str, Any]) -> RunRecord:
    now = dt.datetime.now(dt.UTC)
    return RunRecord(
        run=f"{now:%Y%m%d-%H%M%S-%f}"[:-3],
        workbook=workbook.name,
        params_file=_from(Path.cwd(), workbook.file),
        as_of=as_of,
        overrides=overrides,
        params={},
        git_commit=_git_commit(),
        versions={"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in LIBRARIES},
        started_at=now.isoformat(timespec="seconds"),
        stages=[StageRecord(stage, notebook) for stage, notebook in STAGES.items()],
    )


def _same_run(earlier: RunRecord, as_of: str, overrides: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The settings of the run that goes on. Raises RunError where the caller asks for others."""
    if (as_of and as_of != earlier.as_of) or (overrides and overrides != earlier.overrides):
        raise RunError(
            f"run {earlier.run} was made with as_of {earlier.as_of or 'as in the params'!r} and changes "
            f"{earlier.overrides or 'none'}; to use others, run all stages"
        )
    return earlier.as_of, earlier.overrides


def _git_commit() -> str:
    """The commit of the checkout that runs."""
    command = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    try:
        if NOTEBOOKS.parent != ROOT:  # installed: what lies around it is of another project
            raise FileNotFoundError(NOTEBOOKS.parent)
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return "not a git checkout"
    return done.stdout.strip()


def _from(folder: Path, file: Path) -> str:
    """A file from a folder, so that a notebook names no path of this machine; absolute where no way leads there."""
    try:
        return os.path.relpath(file.resolve(), folder)
    except ValueError:  # on another drive
        return str(file.resolve())
