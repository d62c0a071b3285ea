"""A workbook: its params, its engine, its folders. Every notebook starts with `Workbook.open`."""

from __future__ import annotations

import datetime as dt
import difflib
import glob
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlglot import exp

from clv_helpers.config.params import Params, expand, load_params
from clv_helpers.config.settings import Words
from clv_helpers.config.sql_params import params_bindings
from clv_helpers.config.tables import METADATA_TABLES
from clv_helpers.config.validation import ParamsError, Problem
from clv_helpers.engines.dialect import column, literal, table
from clv_helpers.engines.engine import Engine, open_engine
from clv_helpers.engines.session import Session
from clv_helpers.errors import UserError
from clv_helpers.files import owner_only

PACKAGE = Path(__file__).resolve().parents[1]
ROOT = PACKAGE.parent  # of a checkout
DATA_SUFFIXES = {".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet", ".xlsx", ".xlsm"}


class StageSkipped(UserError):
    """A stage cannot run on this workbook, because an input it needs is not there. Not a failure."""


class NothingToCompute(UserError):
    """There is no event before the day as of which everything is to be computed."""


def notebooks_folder() -> Path:
    """Where the six notebooks lie: within the installed package, or at the top of a checkout."""
    installed = PACKAGE / "notebooks"
    return installed if installed.is_dir() else ROOT / "notebooks"


def outputs_folder(params_file: Path) -> Path:
    """Where workbooks keep their tables and runs: $CLV_OUTPUTS_DIR, else outputs/ beside the params file.

    A params file in a folder `params`, as in a checkout, has it beside that folder.
    """
    if os.environ.get("CLV_OUTPUTS_DIR"):
        return Path(os.environ["CLV_OUTPUTS_DIR"]).resolve()
    beside = params_file.resolve().parent
    return (beside.parent if beside.name == "params" else beside) / "outputs"


def find_params(params_file: str | Path) -> Path:
    """A params file as it is written, or where there is none, that of its name among the params of this checkout.

    So a notebook finds its params from any folder. Raises ParamsError, which names both places.
    """
    file, among = Path(params_file), notebooks_folder().parent / "params"
    places = [file, among / file.name]
    existing = next((place for place in places if place.exists() and not place.is_dir()), None)
    if existing is None:
        value = "a folder" if file.is_dir() else f"not in {file.resolve().parent}, nor in {among}"
        near = _nearest_file(file, {file.parent, among})
        ways = f"the path of a params file; clv lab PARAMS opens the notebooks on one, clv new {file.stem} makes one"
        allowed = f"did you mean {near}?" if near else ways
        raise ParamsError(str(file), [Problem("the file", value, allowed)])
    return existing


def _nearest_file(file: Path, folders: set[Path]) -> Path | None:
    """The params file of these folders whose name is most like that of another, as seen from here."""
    found = {each.stem: each for folder in sorted(folders) for each in sorted(folder.glob("*.y*ml"))}
    close = difflib.get_close_matches(file.stem, found, n=1, cutoff=0.7)
    if not close:
        return None
    near = found[close[0]]
    return near.relative_to(Path.cwd()) if near.is_relative_to(Path.cwd()) else near


def in_folders(paths: list[Path]) -> list[Path]:
    """Files as they are, and in the place of a folder the data files in it, sorted by name."""
    found = [filter(_is_data, sorted(path.iterdir())) if path.is_dir() else [path] for path in paths]
    return [file for files in found for file in files]


def _is_data(file: Path) -> bool:
    return file.is_file() and not file.name.startswith(".") and bool(DATA_SUFFIXES & set(file.suffixes))


@dataclass(frozen=True)
class Workbook:
    """One params file, opened. `file` is where it was found; `folder` is outputs/<name>.

    `run` names the batch run that opened it; where it is empty a person sits before the notebook.
    """

    file: Path
    params: Params
    run: str = ""

    @classmethod
    def open(
        cls, params_file: str | Path, as_of: str = "", overrides: dict[str, Any] | None = None, run: str = ""
    ) -> Workbook:
        """Read params; `as_of` and `overrides` (dotted key → value) change them for this run.

        A path is relative to the current folder, or else names a file of the checkout's params/. Raises ParamsError
        with a sentence per wrong key, value or missing environment variable.

        Example:
            >>> wb = Workbook.open("airline.yml", as_of="2024-07-01", overrides={"lifetime.horizon_months": 6})
            >>> wb.name, wb.params.lifetime.horizon_months
            ('airline', 6)
        """
        file = find_params(params_file)
        changes = {**(overrides or {}), **({"as_of": as_of} if as_of else {})}
        workbook = cls(file, load_params(file, changes), run)
        for name, source in workbook.params.sources.items():
            if source.path:
                workbook.source_pattern(name)
        return workbook

    @property
    def name(self) -> str:
        return self.file.stem

    @property
    def folder(self) -> Path:
        return outputs_folder(self.file) / self.name

    @property
    def specs(self) -> Path:
        """The folder of this workbook's dashboards/ and audiences/: params/<name>/."""
        return self.file.resolve().parent / self.name

    @cached_property
    def engine(self) -> Engine:
        if self.folder.exists():  # perhaps of an earlier version, or copied
            owner_only(self.folder)
        return open_engine(
            self.params.engine,
            self.folder,
            metadata_tables=METADATA_TABLES,
            spark_above=self.params.spark_above,
            memory=self.params.memory,
        )

    @cached_property
    def words(self) -> Words:
        """What this business calls its customers, purchases, value and category."""
        return self.params.in_words()

    @property
    def interactive(self) -> bool:
        """Whether a person may click: live boards and editors stand in; in a batch run, what they show."""
        return not self.run

    def has(self, dataset: str) -> bool:
        """Whether this workbook declares a dataset.

        Example:
            >>> wb.has("email_events")
            True
        """
        return dataset in self.params.sources

    def needs(self, dataset: str, stage: str) -> None:
        """Raise StageSkipped, with a sentence for the reader, where a dataset is not declared."""
        if not self.has(dataset):
            what = dataset.replace("_", " ").replace("email", "e-mail")
            raise StageSkipped(f"{stage} is skipped: this workbook has no {what} (sources.{dataset} in its params).")

    def path(self, text: str, key: str, hint: str = "") -> Path:
        """A path of the params: ${OUTPUTS} and environment variables replaced, relative to the params file."""
        return self.file.resolve().parent / self._expanded(text, key, hint)

    def _expanded(self, text: str, key: str, hint: str) -> str:
        try:
            return expand(text, OUTPUTS=str(self.folder))
        except KeyError as error:
            variable = error.args[0]
            allowed = f"a path; for this one, set the environment variable {variable}{hint and '. The file: '}{hint}"
            raise ParamsError(str(self.file), [Problem(key, repr(text), allowed)]) from None

    def source_url(self, dataset: str) -> str:
        """The address of a dataset that lies elsewhere, expanded: perhaps with a secret in it. Empty: it is here."""
        source = self.params.sources[dataset]
        text = self._expanded(source.path, f"sources.{dataset}.path", source.hint or "")
        return text if "://" in text else ""

    def source_pattern(self, dataset: str) -> Path:
        """The path of a dataset as the params give it, expanded; it may hold wildcards."""
        source = self.params.sources[dataset]
        return self.path(source.path, f"sources.{dataset}.path", source.hint or "")

    def source_files(self, dataset: str) -> list[Path]:
        """The files of a dataset, sorted by name; a folder stands for those in it. Raises ParamsError for none.

        What lies elsewhere is no file of this machine (`ingest.remote.files` lists it, too), nor is a database.
        """
        if not self.params.sources[dataset].path or self.source_url(dataset):
            return []
        source, pattern = self.params.sources[dataset], self.source_pattern(dataset)
        files = in_folders(sorted(Path(found) for found in glob.glob(str(pattern), recursive=True)))
        if not files:
            where = source.hint or "a file, or a pattern that matches at least one"
            raise ParamsError(str(self.file), [Problem(f"sources.{dataset}.path", f"{pattern} (no such file)", where)])
        return files

    def as_of(self, session: Session) -> dt.date:
        """The day as of which everything is computed: as the params say, or the day after the last event.

        Raises NothingToCompute where no purchase lies before it, StageSkipped where the workbook has no source
        of them.
        """
        self.needs("purchases", "This stage")
        empty = not session.has_table("lake.purchases")
        first = None if empty else session.scalar("SELECT MIN(occurred_at) AS first FROM lake.purchases")
        if first is None:
            raise NothingToCompute(f"{self.name}: there are no purchases in the lake yet; ingest some first")
        if isinstance(self.params.as_of, dt.date):
            if first.date() >= self.params.as_of:
                raise NothingToCompute(
                    f"{self.name}: as_of is {self.params.as_of}, and the first purchase is on {first.date()}; "
                    "allowed: a later day, or latest"
                )
            return self.params.as_of
        events = [f"lake.{name}" for name in self.params.event_datasets]
        newest = "SELECT MAX(occurred_at) AS last FROM $events AS e"
        last = [session.scalar(newest, events=table(name)) for name in events if session.has_table(name)]
        return max(moment for moment in last if moment is not None).date() + dt.timedelta(days=1)

    def bindings(self, session: Session) -> dict[str, Any]:
        """What the `$names` in the sql/ tables stand for in this workbook."""
        return {"as_of": self.as_of(session), **self._params_bindings}

    @cached_property
    def _params_bindings(self) -> dict[str, Any]:
        return params_bindings(self.params)

    def query(self, name: str, order_by: str = "", **where: Any):
        """The rows of a published table as a DataFrame, filtered by equality and sorted.

        Example:
            >>> best = wb.query("derived.customer_decile", order_by="customer_id", lookback_months=12, decile=1)
            >>> set(best["decile"])
            {1}
        """
        select = exp.select("*").from_(table(name))
        for key, value in where.items():
            select = select.where(exp.EQ(this=column(key), expression=literal(value)))
        if order_by:
            select = select.order_by(*(column(part) for part in order_by.split(", ")))
        with self.engine.read() as session:
            return session.frame(select)
