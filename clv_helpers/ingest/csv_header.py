"""The head of a CSV file: its delimiter and headers, from the first line alone, so that no later line can mislead."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

from clv_helpers.config.sources import CsvFormat
from clv_helpers.errors import UserError

DELIMITERS = (",", ";", "\t", "|")


class HeaderError(UserError):
    """A CSV file without a usable first line."""


def read_header(file: Path, form: CsvFormat) -> tuple[str, list[str]]:
    """The delimiter and the headers of a CSV file, gzipped or not.

    Where the params give no delimiter, it is the one that parts the first line into most columns. Raises HeaderError
    for an empty file, another encoding, or a header that comes twice; OSError where the file cannot be read.
    """
    encoding = "utf-8-sig" if form.encoding == "utf-8" else form.encoding
    opening = gzip.open if file.suffix == ".gz" else open
    with opening(file, "rt", encoding=encoding, newline="") as stream:
        try:
            parted = {}
            for delimiter in [form.delimiter] if form.delimiter else DELIMITERS:
                stream.seek(0)
                parted[delimiter] = next(csv.reader(stream, delimiter=delimiter), [])
        except UnicodeDecodeError:
            raise HeaderError(f"is not written in {form.encoding}; csv.encoding can name another") from None
        except csv.Error as error:
            raise HeaderError(f"has no header: {error}") from None
    delimiter = max(parted, key=lambda one: len(parted[one]))
    headers = [name.strip() or f"column_{number}" for number, name in enumerate(parted[delimiter], 1)]
    if not headers:
        raise HeaderError("is empty")
    repeated = next((name for name in headers if headers.count(name) > 1), None)
    if repeated:
        raise HeaderError(f"has the header {repeated!r} twice")
    return delimiter, headers
