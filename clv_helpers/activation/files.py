"""Exports to files in a local folder, by SFTP or to S3: whole or absent, and the same again after a crash."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator
from sqlglot import exp

from clv_helpers.activation.destination import CUSTOMER, DeliveredFile, Destination, Outcome, Part, Run
from clv_helpers.activation.file_systems import Place, existing, open_place
from clv_helpers.config.destinations import STATUS_FIELD, Activation, DestinationError, DestinationParams
from clv_helpers.config.validation import Strict
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import bind, column, is_in, literal, parse
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

    def __init__(self, workbook: Workbook, activation: Activation):
        super().__init__(workbook, activation)
        self.takes_exited = STATUS_FIELD in self.params.columns and self.params.mode == "incremental"
        self.rows_per_part = self.params.rows_per_file

    def check(self) -> str:
        """Write a small file to the folder, and take it away."""
        if self.params.pgp_key:
            self._pgp_key()
        probe = f".clv-check-{hashlib.sha256(str(self.workbook.folder).encode()).hexdigest()[:8]}"
        with open_place(self.workbook, self.name, self.params) as place:
            _put_text(place, "", probe)
            place.remove(probe)
            return f"{place.shown} can be written to"

    def prepare(self, session: Session, rows: exp.Select, part: Part) -> None:
        """Write the rows in the format of the file; beside its final place where that is a local folder."""
        self._rows = session.copy_to(self._selected(session, rows), self._written(part), **self._copy_options())

    def deliver(self, part: Part) -> Outcome:
        """Bring the file under its name. Doing it again overwrites it by itself."""
        written, name = self._written(part), self.file_name(part.run, part.number)
        finished = self._encrypt(self._recode(written))
        with finished.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        delivered = DeliveredFile(name, self._rows, finished.stat().st_size, sha256)
        with open_place(self.workbook, self.name, self.params) as place:
            place.put(finished, name)
        for file in {written, finished}:
            file.unlink(missing_ok=True)
        return Outcome(file=delivered)

    def finish(self, run: Run, files: list[DeliveredFile]) -> None:
        """Write the manifest, last of all."""
        if self.params.manifest:
            names = ("run_id", "campaign", "audience", "destination", "as_of", "started_at")
            content = {**{name: str(getattr(run, name)) for name in names}, "files": [asdict(file) for file in files]}
            with open_place(self.workbook, self.name, self.params) as place:
                _put_text(place, json.dumps(content, indent=2) + "\n", f"manifest-{run.destination}-{run.run_id}.json")

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

    def _written(self, part: Part) -> Path:
        """Where a part is written to: where its place is a local folder, beside it."""
        if "://" in self.params.path:
            return part.spool
        folder = self.workbook.path(self.params.path, f"destinations.{self.name}.path")
        return folder / f".{self.file_name(part.run, part.number)}.part"

    def _selected(self, session: Session, rows: exp.Select) -> exp.Select:
        """The mapped columns; in a CSV with texts that no spreadsheet runs, and with the text for an empty value."""
        csv, kinds = self.params.csv, session.columns(rows.subquery("rows"))
        chosen = []
        for header in self.params.columns.values():
            value: exp.Expression = column(header)
            if self.params.format == "csv" and kinds[header] == "VARCHAR":
                value = _neutralized(value) if csv.neutralize_formulas else value
                value = _emptied(value, csv)
            chosen.append(value.as_(header, quoted=True))
        # by customer, so that the same rows are the same bytes; the order of a subquery would not hold
        return exp.select(*chosen).from_(rows.subquery("rows")).order_by(column(CUSTOMER))

    def _copy_options(self) -> dict[str, Any]:
        if self.params.format != "csv":
            return {"format": "json" if self.params.format == "jsonl" else "parquet"}
        csv = self.params.csv
        signs = csv.model_dump(include={"delimiter", "quote", "escape"})
        return {"format": "csv", "header": True, "nullstr": csv.null_text, **signs}

    def _recode(self, file: Path) -> Path:
        """The file in its encoding and compressed; itself where that is UTF-8 and nothing is to be compressed."""
        encoding = self.params.csv.encoding if self.params.format == "csv" else "utf-8"
        if encoding == "utf-8" and not self.params.gzip:
            return file
        recoded = file.with_name(f"{file.name}.recoded")
        with file.open(encoding="utf-8", newline="") as source, recoded.open("wb") as raw:
            # without a time, so that the same rows are the same bytes
            packed = gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if self.params.gzip else raw
            with io.TextIOWrapper(packed, encoding=encoding, newline="") as target:
                try:
                    shutil.copyfileobj(source, target, CHUNK)
                except UnicodeEncodeError as error:
                    wrong = f"{error.object[error.start]!r} cannot be written in {encoding}"
                    raise DestinationError(f"{self.name}: {wrong}; csv.encoding utf-8 holds every letter") from None
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
        if not shutil.which("gpg"):
            raise DestinationError(f"{self.name}: pgp_key needs the program gpg (Debian: apt-get install gpg)")
        return existing(self.workbook, self.name, self.params, "pgp_key")


def _put_text(place: Place, text: str, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, name)
        file.write_text(text, "utf-8")
        place.put(file, name)


def _neutralized(value: exp.Expression) -> exp.Expression:
    """A text that a spreadsheet would run, behind an apostrophe; numbers and phones as they are."""
    text = (
        "CASE WHEN $is_formula THEN "  # numbers are looked for within, so that few rows are matched
        "CASE WHEN REGEXP_MATCHES($value, $number) THEN $value ELSE CONCAT('''', $value) END ELSE $value END"
    )
    is_formula = is_in(exp.Left(this=value, expression=literal(1)), list(FORMULA))
    return bind(parse(text), {"value": value, "is_formula": is_formula, "number": NUMBER_OR_PHONE})


def _emptied(value: exp.Expression, csv: CsvOptions) -> exp.Expression:
    """An empty text as the params want it; one that is to look like no value becomes none."""
    if csv.empty_text is None:
        return value
    empty = None if csv.empty_text == csv.null_text else csv.empty_text
    return bind(parse("CASE WHEN $value = '' THEN $empty ELSE $value END"), {"value": value, "empty": empty})
