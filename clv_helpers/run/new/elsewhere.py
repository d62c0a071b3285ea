"""`clv new` from a bucket, a web server or SFTP: the files are copied once, and read from there until it is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from clv_helpers.config.params import expand
from clv_helpers.ingest import remote
from clv_helpers.run.new.sample import ALLOWED, NewWorkbookError


@dataclass(frozen=True)
class Origin:
    """Where copies come from: `source` is the copy of what was asked for, a file, a folder or a pattern in `folder`."""

    source: Path
    address: str
    folder: Path
    base: str

    def written(self, path: Path) -> str:
        """The address of a copy, or of a pattern of copies, as it stands in the params."""
        if path == self.source:
            return self.address
        return f"{self.base}/{path.relative_to(self.folder).as_posix()}"


@contextmanager
def at_hand(source: str) -> Iterator[Origin | None]:
    """The copies of what is elsewhere, for as long as the block takes; None for what is of this machine.

    `${NAME}` is replaced by an environment variable, and stays in the address. Raises NewWorkbookError where there is
    nothing, ParamsError for an address that cannot be one, RemoteError for what cannot be had. Cost: the files' size
    on the disk.
    """
    try:
        url = expand(source)
    except KeyError as error:
        raise NewWorkbookError(f"--from is {source!r}; the environment variable {error.args[0]} is not set") from None
    if "://" not in url:
        yield None
        return
    place = remote.Remote(url, source, "clv new", "--from")
    with TemporaryDirectory(prefix="clv_new_", ignore_cleanup_errors=True) as made:
        folder = Path(made).resolve()
        files = place.files()
        for file in files:
            copy = folder / file.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            place.fetch(file, copy)
        if not files:
            raise NewWorkbookError(f"{place.shown}: there is no such file; allowed: {ALLOWED}")
        base, rest = place.parts()
        yield Origin(folder / (rest or (files[0].name if place.is_file(files) else "")), source, folder, base)
