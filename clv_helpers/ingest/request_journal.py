"""What was acknowledged survives a crash: events are lines on the disk before anyone is told that they were taken."""

from __future__ import annotations

import datetime as dt
import os
import threading
from pathlib import Path

from clv_helpers.files import write_atomically


class Journal:
    """The JSON lines of one dataset that are not yet a batch: one file is open, the others are sealed.

    Threads may share it; processes may not: stream.py lets one process at a time into the folder.
    """

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.open_file, self.lock = folder, folder / "open.part", threading.Lock()
        self._drop_torn_line()
        for refused in folder.glob("stream_*.refused"):  # by an earlier version: acknowledged, so it comes in yet
            refused.rename(refused.with_suffix(".jsonl"))

    def append(self, lines: list[str]) -> None:
        """Write lines (each one JSON object) and wait until the disk has them. Raises OSError: then none is there."""
        data = "".join(f"{line}\n" for line in lines).encode()
        with self.lock:
            is_new = not self.open_file.exists()
            with self.open_file.open("ab") as stream:
                before = stream.tell()
                try:
                    stream.write(data)
                    stream.flush()
                    os.fsync(stream.fileno())
                except OSError:
                    os.ftruncate(stream.fileno(), before)
                    raise
            if is_new:
                self._sync_folder()

    def seal(self) -> list[Path]:
        """Close the open file; gives all sealed files, oldest first. Whoever has made a batch of one removes it."""
        with self.lock:
            if self.open_file.exists() and self.open_file.stat().st_size:
                moment = dt.datetime.now(dt.UTC)
                self.open_file.rename(self.folder / f"stream_{moment:%Y%m%dT%H%M%S_%f}.jsonl")
                self._sync_folder()
        return sorted(self.folder.glob("stream_*.jsonl"))

    def part(self, file: Path) -> list[Path]:
        """Two sealed files in the place of one; none for a file of one line, which stays as it is.

        Killed before the end it leaves lines twice, of which the second counts as a repeat.
        """
        lines = file.read_text("utf-8", "replace").splitlines(keepends=True)
        middle = len(lines) // 2
        if not middle:
            return []
        halves = [file.with_stem(f"{file.stem}_{side}") for side in "ab"]
        for half, part in zip(halves, (lines[:middle], lines[middle:]), strict=True):
            write_atomically(half, "".join(part))
        self._sync_folder()
        file.unlink()
        return halves

    def _drop_torn_line(self) -> None:
        """A process that was killed while writing leaves half a line, which was acknowledged to nobody."""
        if not self.open_file.exists():
            return
        with self.open_file.open("r+b") as stream:
            whole = stream.read().rfind(b"\n") + 1
            stream.truncate(whole)

    def _sync_folder(self) -> None:
        """So that the names, too, are on the disk."""
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
