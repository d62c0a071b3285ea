"""Exports to files in a local folder, by SFTP or to S3: whole or absent, and the same again after a crash."""

from __future__ import annotations

import contextlib
import glob
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, field_validator, model_validator
from sqlglot import exp

from clv_helpers.activation import ledger
from clv_helpers.activation.destination import CUSTOMER, DeliveredFile, Destination, Outcome, Part, Run
from clv_helpers.config.destinations import STATUS_FIELD, Activation, DestinationError, DestinationParams
from clv_helpers.config.validation import ParamsError, Problem, Strict
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.dialect import column, expression, is_in, literal
from clv_helpers.engines.session import Session
from clv_helpers.ingest import remote

NAME_FIELDS = ("campaign", "audience", "destination", "as_of", "date", "time", "unix", "run")
LONGEST_NAME = 255
CHUNK = 1 << 20
CONTROL_PART = 0  # the number of the part that holds the control group
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
        if self.mode != "full" and not re.search("{(time|unix|run)}", self.template):
            allowed = "one with {time}, {unix} or {run}, as exports of new customers must not overwrite each other"
            raise ValueError(f"file_name is {self.file_name!r}; allowed: {allowed}")
        if self.format == "parquet" and self.gzip:
            raise ValueError("gzip is true; allowed: false for parquet, which is compressed in itself")
        return self

    @property
    def template(self) -> str:
        """The file name's template; without one, a full export replaces the last of the same day."""
        return self.file_name or ("{campaign}_{audience}_{as_of}" + "_{date}T{time}" * (self.mode != "full"))


class Folder:
    """A local folder: files are written beside their place, then renamed. `shown` names it for people."""

    def __init__(self, folder: Path):
        self.folder, self.shown = folder, f"the folder {folder}"
        folder.mkdir(parents=True, exist_ok=True)

    def put(self, file: Path, name: str) -> None:
        """Bring a local file there, whole or not at all, in the place of one of the same name."""
        beside = file
        if file.parent != self.folder:
            beside = self.folder / f".{name}.part"
            shutil.copyfile(file, beside)
        with beside.open("r+b") as stream:
            os.fsync(stream.fileno())
        beside.replace(self.folder / name)

    def remove(self, name: str) -> None:
        """Take a file away."""
        (self.folder / name).unlink(missing_ok=True)


class RemoteFolder(Folder):
    """A folder behind fsspec. S3 shows an object only once it is whole; elsewhere it is uploaded beside and renamed."""

    def __init__(self, system: Any, path: str, shown: str, renames: bool):
        self.system, self.path, self.shown, self.renames = system, path.rstrip("/"), shown, renames

    def put(self, file: Path, name: str) -> None:
        final, beside = f"{self.path}/{name}", f"{self.path}/.{name}.part"
        self.system.put_file(str(file), beside if self.renames else final)
        if self.renames:
            self.system.mv(beside, final)

    def remove(self, name: str) -> None:
        self.system.rm_file(f"{self.path}/{name}")


class Files(Destination):
    """One file per part of a run, one with the control group; then a manifest, which says that the set is complete."""

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
        self._put_text("", probe)
        with self._place() as place:
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
        with self._place() as place:
            place.put(finished, name)
        self.clear(part)
        return Outcome(file=delivered)

    def clear(self, part: Part) -> None:
        """Delete a part as it was written, and what was made of that: recoded, compressed, encrypted."""
        written = self._written(part)
        for file in written.parent.glob(f"{glob.escape(written.name)}*"):
            file.unlink(missing_ok=True)

    def finish(self, run: Run, files: list[DeliveredFile]) -> None:
        """Write whom other mailings are to leave alone, the control group; and the manifest, last of all."""
        control = self._deliver_control(run) if self.activation.control else []
        if self.params.manifest:
            names = ("run_id", "campaign", "audience", "destination", "as_of", "started_at")
            content = {
                **{name: str(getattr(run, name)) for name in names},
                "files": [asdict(file) for file in files],
                "control": [asdict(file) for file in control],
            }
            self._put_text(json.dumps(content, indent=2) + "\n", f"manifest-{run.destination}-{run.run_id}.json")

    def _deliver_control(self, run: Run) -> list[DeliveredFile]:
        part = Part(run, CONTROL_PART, self.workbook.folder / "activation" / run.run_id / "control.part")
        part.spool.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self.workbook.engine.write(files=True) as session:
                self.prepare(session, ledger.control_rows(run, self.params), part)
            return [file] if (file := self.deliver(part).file) else []
        finally:
            self.clear(part)

    def file_name(self, run: Run, number: int) -> str:
        """The name of a part's file: the template's fields, _2, _3 … after the first, and what was done to it."""
        at = run.started_at
        fields = {"date": f"{at:%Y%m%d}", "time": f"{at:%H%M%S}", "unix": f"{at.timestamp():.0f}", "run": run.run_id}
        suffix = f"_{number}" if number > 1 else ""
        ending = f".{self.params.format}{'.gz' * self.params.gzip}{'.pgp' * bool(self.params.pgp_key)}"
        name = self.params.template.format(**asdict(run), **fields) + suffix + ending
        name = f"control-do-not-mail_{name}" if number == CONTROL_PART else name
        if len(name.encode()) > LONGEST_NAME:
            raise DestinationError(f"{self.name}: the file name {name[:40]}… has more than {LONGEST_NAME} bytes")
        return name

    @contextlib.contextmanager
    def _place(self) -> Iterator[Folder]:
        """Where the files go. Raises DestinationError where it does not answer."""
        path = self.params.path
        url = urlsplit(path if "://" in path else "")
        opened: dict[str, Callable[[SplitResult], Folder]] = {"": self._folder, "sftp": self._sftp, "s3": self._s3}
        if url.scheme not in opened:
            problem = Problem(f"destinations.{self.name}.path", repr(path), "a folder, sftp://… or s3://…")
            raise ParamsError(str(self.workbook.file), [problem])
        try:
            yield opened[url.scheme](url)
        except ModuleNotFoundError as error:
            raise DestinationError(f"{self.name}: {error}") from None
        except Exception as error:  # each library has errors of its own; ours, and those of our code, go on
            if not remote.is_transfer(error):
                raise
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise DestinationError(f"{self.name}: {path} does not take the file: {reason}") from error

    def _folder(self, _: SplitResult) -> Folder:
        return Folder(self.workbook.path(self.params.path, f"destinations.{self.name}.path"))

    def _sftp(self, url: SplitResult) -> RemoteFolder:
        params = self.params
        options: dict[str, Any] = {"username": params.username or url.username}
        # the server must be known: from the named file, or from the user's own known_hosts
        options["known_hosts"] = str(self._existing("known_hosts")) if params.known_hosts else ()
        options["client_keys"] = [str(self._existing("private_key"))] if params.private_key else None
        if params.password_variable:
            options["password"] = params.secret(params.password_variable)
        system = remote.file_system(url, **options)
        return RemoteFolder(system, url.path or "/", f"sftp://{url.hostname}{url.path}", renames=True)

    def _s3(self, url: SplitResult) -> RemoteFolder:
        # the keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or from wherever else botocore looks
        system = remote.file_system(url, endpoint_url=self.params.endpoint_url or None)
        return RemoteFolder(system, f"{url.netloc}{url.path}", self.params.path, renames=False)

    def _existing(self, key: str) -> Path:
        """A file that a key of the params names. Raises DestinationError where there is none."""
        file = self.workbook.path(getattr(self.params, key), f"destinations.{self.name}.{key}")
        if not file.is_file():
            raise DestinationError(f"{self.name}: {key} is {file}, and there is no such file")
        return file

    def _put_text(self, text: str, name: str) -> None:
        with tempfile.TemporaryDirectory() as folder, self._place() as place:
            file = Path(folder, name)
            file.write_text(text, "utf-8")
            place.put(file, name)

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
        return self._existing("pgp_key")


def _neutralized(value: exp.Expression) -> exp.Expression:
    """A text that a spreadsheet would run, behind an apostrophe; numbers and phones as they are."""
    text = (
        "CASE WHEN $is_formula THEN "  # numbers are looked for within, so that few rows are matched
        "CASE WHEN REGEXP_MATCHES($value, $number) THEN $value ELSE CONCAT('''', $value) END ELSE $value END"
    )
    is_formula = is_in(exp.Left(this=value, expression=literal(1)), list(FORMULA))
    return expression(text, value=value, is_formula=is_formula, number=NUMBER_OR_PHONE)


def _emptied(value: exp.Expression, csv: CsvOptions) -> exp.Expression:
    """An empty text as the params want it; one that is to look like no value becomes none."""
    if csv.empty_text is None:
        return value
    empty = None if csv.empty_text == csv.null_text else csv.empty_text
    return expression("CASE WHEN $value = '' THEN $empty ELSE $value END", value=value, empty=empty)
