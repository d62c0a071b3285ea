"""The bytes of a file before anything reads it as a table: whole or cut, of which kind, in which encoding."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import zlib
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from clv_helpers.engines.file_scan import is_csv
from clv_helpers.errors import UserError

CHUNK = 1 << 20
# What files begin with that bear the name of another kind; text of any kind begins with none of these.
SIGNATURES = {
    b"PK\x03\x04": "a zip archive, or an Excel file without its name",
    b"PK\x05\x06": "an empty zip archive",
    b"\xd0\xcf\x11\xe0": "an Excel file of the old kind; save it as .xlsx or CSV",
    b"%PDF": "a PDF",
    b"PAR1": "a Parquet file without its name",
    b"\x1f\x8b": "gzipped (once more than its name says)",
    b"BZh": "compressed by bzip2",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a rar archive",
    b"\xfd7zXZ": "compressed by xz",
    b"\x28\xb5\x2f\xfd": "compressed by zstd",
    b"SQLite format 3": "an SQLite file",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"{\\rtf": "a document (RTF)",
}
MARKUP = (b"<!doctype", b"<html", b"<?xml", b"<table")
# utf-32 first: its mark begins with that of utf-16.
MARKS = {
    codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
MANY = 0.2  # of the even or of the odd bytes; text in utf-16 has nearly all, other text none


class UnreadableFile(UserError):
    """A file that is no table. Its text goes on after the file's name: `is empty`."""


class _Hashed:
    """A stream that hashes what is read of it."""

    def __init__(self, stream: BinaryIO):
        self.stream, self.sha256 = stream, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self.stream.read(size)
        self.sha256.update(data)
        return data


def sha256(file: Path) -> str:
    """The SHA-256 of a file as it lies there; of a gzipped one, every member's length and checksum are tested, too.

    Cost: one pass. Raises UnreadableFile for a file that cannot be read, or was cut or damaged.

    Example:
        >>> len(sha256(wb.source_files("customers")[0]))
        64
    """
    with refusing(), file.open("rb") as stream:
        hashed = _Hashed(stream)
        if is_gzipped(file):
            with gzip.GzipFile(fileobj=cast(IO[bytes], hashed)) as members:
                while members.read(CHUNK):
                    pass
        while hashed.read(CHUNK):
            pass
        return hashed.sha256.hexdigest()


class refusing:  # noqa: N801 (used as `with refusing():`)
    """What the operating system and gzip have against a file, as an UnreadableFile."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: Any, error: BaseException | None, _trace: Any) -> None:
        if isinstance(error, gzip.BadGzipFile) and "Not a gzipped" in str(error):
            raise UnreadableFile("is not gzipped, or not to its end, though its name says so") from None
        if isinstance(error, EOFError):
            raise UnreadableFile("was cut: the end of what is gzipped is missing; copy it once more") from None
        if isinstance(error, gzip.BadGzipFile | zlib.error):
            raise UnreadableFile("is damaged: what is gzipped does not fit its checksum; copy it once more") from None
        if isinstance(error, OSError):
            raise UnreadableFile(f"cannot be read: {error.strerror or error}") from None


def is_gzipped(file: Path) -> bool:
    """Whether a file's name says that it is gzipped."""
    return file.suffix.lower() == ".gz"


def opened(file: Path) -> IO[bytes]:
    """The bytes of a file, unpacked. To be used within `refusing`."""
    return cast(IO[bytes], gzip.open(file, "rb")) if is_gzipped(file) else file.open("rb")


def encoding_of(file: Path, told: str = "utf-8") -> str:
    """The codec with which Python reads a text file: by its byte order mark, or else as told.

    Reads the beginning alone. Raises UnreadableFile for what is no text, and where the zero bytes of utf-16 are there
    against what was told, or are not.
    """
    with refusing(), opened(file) as stream:
        head = stream.read(CHUNK)
    for mark, codec in MARKS.items():
        if head.startswith(mark):
            return codec
    _refuse_other_kinds(head)
    first, second = (half.count(0) / max(len(half), 1) for half in (head[::2], head[1::2]))
    if max(first, second) > MANY and min(first, second) < MANY:
        if told != "utf-16":
            raise UnreadableFile(f"is not written in {told}, but likely in utf-16: {how_to_say(file)}")
        return "utf-16-be" if first > second else "utf-16-le"
    if told == "utf-16" and head:
        raise UnreadableFile(
            f"is not written in utf-16, but likely in {likely_encoding(head)}: csv.encoding can say so"
        )
    return told


def how_to_say(file: Path) -> str:
    """What one can do about a file in another encoding."""
    return "csv.encoding can say so" if is_csv(file) else "JSON must be in utf-8, or begin with its mark"


def likely_encoding(sample: bytes) -> str:
    """The encoding in which one that knows no better would try a text: utf-8, or what Windows writes."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _refuse_other_kinds(head: bytes) -> None:
    what = next((what for signature, what in SIGNATURES.items() if head.startswith(signature)), "")
    if not what and head.lstrip().lower().startswith(MARKUP):
        what = "a page of markup (HTML or XML), as a log-in page that was saved in its place"
    if what:
        raise UnreadableFile(f"is {what}; allowed: CSV, JSON, Parquet, .xlsx, and gzipped .csv.gz and .json.gz")
