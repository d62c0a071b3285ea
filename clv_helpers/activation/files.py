"""Files for a local folder, SFTP or S3: whole or absent under their name, the same again after a crash."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import hashlib
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator
from sqlglot import exp

from clv_helpers.activation.destination import CUSTOMER, Destination, Outcome, Part, Run
from clv_helpers.activation.file_systems import Store, open_store
from clv_helpers.config.destinations import STATUS_FIELD, DestinationError, DestinationParams
from clv_helpers.config.validation import Strict
from clv_helpers.engines.dialect import column, is_in, literal
from clv_helpers.engines.session import Session

NAME_FIELDS = ("campaign", "audience", "destination", "as_of", "date", "time", "unix", "run")
LONGEST_NAME = 255
CHUNK = 1 << 20
# What a spreadsheet takes for a formula, and what begins like one but is a number or a phone.
FORMULA = "=+-@\t\r"
NUMBER_OR_PHONE = r"^(-[0-9]+([.,][0-9]+)?([eE][+-]?[0-9]+)?|\+[0-9][0-9 ()./-]*)$"


class CsvOptions(Strict):
    """How a CSV is written. `null_text` stands for no value, `empty_text` for an empty one (none: quotes)."""

    delimiter: str = Field(default=",", min_length=1, max_length=1)
    quote: str = Field(default='"', min_length=1, max_length=1)
    escape: str = Field(default='"', min_length=1, max_length=1)
    null_text: str = ""
    empty_text: str | None = None
    encoding: Literal["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"] = "utf-8"
    neutralize_formulas: bool = True


class FilesParams(DestinationParams):
    """A folder that receives files, under a name made of a fixed set of fields."""

    type: Literal["files"] = "files"
    path: str = "${OUTPUTS}/exports"
    format: Literal["csv", "jsonl", "parquet"] = "csv"
    file_name: str = ""
    rows_per_file: int = Field(default=5_000_000, ge=1)
    csv: CsvOptions = CsvOptions()
    gzip: bool = False
    pgp_key: str = ""
    manifest: bool = True
    username: str = ""
    password_variable: str = ""
    private_key: str = ""
    known_hosts: str = ""
    endpoint_url: str = ""

    @field_validator("file_name")
    @classmethod
    def _known_fields(cls, value: str) -> str:
        if not value:
            return value
        try:
            made = value.format(**dict.fromkeys(NAME_FIELDS, "x"))
        except (KeyError, IndexError, ValueError):
            raise ValueError("text with any of " + ", ".join(f"{{{name}}}" for name in NAME_FIELDS)) from None
        if not re.fullmatch(r"[\w. =+@-]+", made) or made.startswith("."):
            raise ValueError(
                "a name without folders: letters, digits, spaces and . = + @ _ -, not beginning with a dot"
            )
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> FilesParams:
        if self.mode == "incremental" and not re.search("{(time|unix|run)}", self.template):
            allowed = "one with {time}, {unix} or {run}, as changes must not overwrite each other"
            raise ValueError(f"file_name is {self.file_name!r}; allowed: {allowed}")
        if self.format == "parquet" and self.gzip:
            raise ValueError("gzip is true; allowed: false for parquet, which is compressed in itself")
        return self

    @property
    def template(self) -> str:
        """The file name's template; without one, a full export replaces the last of the same day."""
        return self.file_name or ("{campaign}_{audience}_{as_of}" + "_{date}T{time}" * (self.mode == "incremental"))


class Files(Destination):
    """One file per part of a run; then a manifest, whose presence says that the set is complete."""

    Params = FilesParams

    @property
    def takes_leavers(self) -> bool:
        """Leavers come where their status has a column, and only what changed is exported."""
        return STATUS_FIELD in self.params.columns and self.params.mode == "incremental"

    @property
    def rows_per_part(self) -> int:
        """How many rows a file holds at most."""
        return self.params.rows_per_file

    def check(self) -> str:
        """Write a small file to the folder, and take it away."""
        if self.params.pgp_key:
            self._pgp_key()
        with self._store() as store:
            probe = f".clv-check-{hashlib.sha256(str(self.workbook.folder).encode()).hexdigest()[:8]}"
            with tempfile.NamedTemporaryFile() as file:
                store.put(Path(file.name), probe)
            store.remove(probe)
            return f"{store.shown} can be written to"

    def prepare(self, session: Session, people: exp.Select, part: Part) -> None:
        """Write the rows in the format of the file; beside its final place where that is a local folder."""
        self._rows = session.copy_to(self._selected(session, people), self._written(part), **self._copy_options())

    def deliver(self, part: Part) -> Outcome:
        """Bring the file under its name. Doing it again overwrites it by itself."""
        written, name = self._written(part), self.file_name(part.run, part.number)
        finished = self._encrypt(self._recode(written))
        outcome = Outcome(name=name, bytes=finished.stat().st_size, sha256=_sha256(finished), rows=self._rows)
        with self._store() as store:
            store.put(finished, name)
        for file in {written, finished}:
            file.unlink(missing_ok=True)
        return outcome

    def finish(self, run: Run, parts: list[dict[str, Any]]) -> None:
        """Write the manifest, last of all."""
        if not self.params.manifest:
            return
        names = ("run_id", "campaign", "audience", "destination", "as_of", "started_at")
        content = {**{name: str(getattr(run, name)) for name in names}, "files": parts}
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".json") as file, self._store() as store:
            file.write(json.dumps(content, indent=2) + "\n")
            file.flush()
            store.put(Path(file.name), f"manifest-{run.destination}-{run.run_id}.json")

    def file_name(self, run: Run, number: int) -> str:
        """The name of a part's file: the template's fields, _2, _3 … after the first, and what was done to it."""
        at = run.started_at
        fields = {"date": f"{at:%Y%m%d}", "time": f"{at:%H%M%S}", "unix": f"{at.timestamp():.0f}", "run": run.run_id}
        known = {**{name: str(getattr(run, name, "")) for name in NAME_FIELDS}, **fields}
        suffix = f"_{number}" if number > 1 else ""
        ending = f".{self.params.format}{'.gz' * self.params.gzip}{'.pgp' * bool(self.params.pgp_key)}"
        name = self.params.template.format(**known) + suffix + ending
        if len(name.encode()) > LONGEST_NAME:
            raise DestinationError(f"{self.name}: the file name {name[:40]}… has more than {LONGEST_NAME} bytes")
        return name

    def _store(self) -> contextlib.AbstractContextManager[Store]:
        return open_store(self.workbook, self.name, self.params)

    def _written(self, part: Part) -> Path:
        """Where a part is written to: where its place is a local folder, beside it."""
        if "://" in self.params.path:
            return part.spool
        folder = self.workbook.path(self.params.path, f"destinations.{self.name}.path")
        return folder / f".{self.file_name(part.run, part.number)}.part"

    def _selected(self, session: Session, people: exp.Select) -> exp.Select:
        """The mapped columns; in a CSV with texts that no spreadsheet runs, and with the text for an empty value."""
        columns = list(self.params.columns.values())
        if self.params.format != "csv":
            return _in_order(exp.select(*map(column, columns)), people)
        csv, chosen, kinds = self.params.csv, [], session.columns(people.subquery("people"))
        for header in columns:
            value: exp.Expression = column(header)
            if kinds[header] == "VARCHAR":
                value = _neutralized(value) if csv.neutralize_formulas else value
                value = _emptied(value, csv)
            chosen.append(value.as_(header, quoted=True))
        return _in_order(exp.select(*chosen), people)

    def _copy_options(self) -> dict[str, Any]:
        if self.params.format == "parquet":
            return {"format": "parquet"}
        if self.params.format == "jsonl":
            return {"format": "json"}
        csv = self.params.csv
        return {
            "format": "csv",
            "header": True,
            "delimiter": csv.delimiter,
            "quote": csv.quote,
            "escape": csv.escape,
            "nullstr": csv.null_text,
        }

    def _recode(self, file: Path) -> Path:
        """The file in its encoding and compressed; itself where that is UTF-8 and nothing is to be compressed."""
        encoding = self.params.csv.encoding if self.params.format == "csv" else "utf-8"
        if encoding == "utf-8" and not self.params.gzip:
            return file
        recoded = file.with_name(f"{file.name}.recoded")
        with contextlib.ExitStack() as stack:
            source = stack.enter_context(file.open(encoding="utf-8", newline=""))
            raw = stack.enter_context(recoded.open("wb"))
            # without a time, so that the same rows are the same bytes
            target = stack.enter_context(gzip.GzipFile("", "wb", fileobj=raw, mtime=0)) if self.params.gzip else raw
            encoder = codecs.getincrementalencoder(encoding)()
            try:
                while text := source.read(CHUNK):
                    target.write(encoder.encode(text))
            except UnicodeEncodeError as error:
                letter = error.object[error.start]
                raise DestinationError(
                    f"{self.name}: {letter!r} cannot be written in {encoding}; csv.encoding utf-8 holds every letter"
                ) from None
        file.unlink()
        return recoded

    def _encrypt(self, file: Path) -> Path:
        if not self.params.pgp_key:
            return file
        sealed = file.with_name(f"{file.name}.pgp")
        with tempfile.TemporaryDirectory() as home:
            command = ["gpg", "--homedir", home, "--batch", "--yes", "--quiet", "--trust-model", "always"]
            command += ["--recipient-file", str(self._pgp_key()), "--output", str(sealed), "--encrypt", str(file)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise DestinationError(
                f"{self.name}: gpg could not encrypt the file: {done.stderr.strip().splitlines()[-1]}"
            )
        file.unlink()
        return sealed

    def _pgp_key(self) -> Path:
        key = self.workbook.path(self.params.pgp_key, f"destinations.{self.name}.pgp_key")
        if not shutil.which("gpg"):
            raise DestinationError(f"{self.name}: pgp_key needs the program gpg (Debian: apt-get install gpg)")
        if not key.is_file():
            raise DestinationError(f"{self.name}: pgp_key is {key}, and there is no such file")
        return key


def _in_order(chosen: exp.Select, people: exp.Select) -> exp.Select:
    """By customer, so that the same rows are the same bytes; the order of a subquery would not hold."""
    return chosen.from_(people.subquery("people")).order_by(column(CUSTOMER))


def _neutralized(value: exp.Expression) -> exp.Expression:
    """A text that a spreadsheet would run, behind an apostrophe; numbers and phones as they are."""
    first = exp.func("LEFT", value.copy(), literal(1))
    harmless = exp.RegexpLike(this=value.copy(), expression=literal(NUMBER_OR_PHONE))
    quoted = exp.func("CONCAT", literal("'"), value.copy())
    runs = exp.Case().when(harmless, value.copy()).else_(quoted)  # within, so that few rows are matched
    return exp.Case().when(is_in(first, list(FORMULA)), runs).else_(value)


def _emptied(value: exp.Expression, csv: CsvOptions) -> exp.Expression:
    """An empty text as the params want it; one that is to look like no value becomes none."""
    if csv.empty_text is None:
        return value
    stands = exp.null() if csv.empty_text == csv.null_text else literal(csv.empty_text)
    return exp.Case().when(exp.EQ(this=value.copy(), expression=literal("")), stands).else_(value)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
