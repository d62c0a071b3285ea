"""A limit for a server that says nothing any more, where the driver has none: its connection is ended from our side."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import stat
import threading
import time
from collections.abc import Iterator

OPEN = "/dev/fd"  # what this process has open, on Linux and macOS
BETWEEN = 0.1  # seconds from one sign of life to the next look


class Silence:
    """Watches the socket of a connection while a statement is on its way. `seconds`: how long it may say nothing;
    `ended`: whether it came to that."""

    def __init__(self, seconds: float):
        self.seconds, self.ended = seconds, False
        self.socket: socket.socket | None = None

    @contextlib.contextmanager
    def connecting(self) -> Iterator[None]:
        """A block that opens the connection. Where other sockets open meanwhile, none is watched."""
        before = _sockets()
        yield
        new = _sockets() - before
        if len(new) == 1:
            self.socket = socket.socket(fileno=os.dup(new.pop()))

    @contextlib.contextmanager
    def limited(self) -> Iterator[None]:
        """A block that waits for the server: past the limit, what it waits for fails as a connection that broke off.

        Cost: a thread that sleeps.
        """
        if not self.socket:
            yield
            return
        done, ends = os.pipe()
        watcher = threading.Thread(target=self._watch, args=(self.socket, done), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            os.close(ends)
            watcher.join()
            os.close(done)

    def close(self) -> None:
        """Let go of the socket."""
        if self.socket:
            self.socket.close()

    def _watch(self, watched: socket.socket, done: int) -> None:
        last = time.monotonic()
        while True:
            left = last + self.seconds - time.monotonic()
            ready = select.select([watched.fileno(), done], [], [], max(0, left))[0]
            if done in ready:
                return
            if not ready:
                self.ended = True
                with contextlib.suppress(OSError):  # it has just broken off by itself
                    watched.shutdown(socket.SHUT_RDWR)
                return
            last = time.monotonic()
            if select.select([done], [], [], BETWEEN)[0]:
                return


def _sockets() -> set[int]:
    found = set()
    for name in os.listdir(OPEN) if os.path.isdir(OPEN) else ():  # noqa: PTH112, PTH208 (numbers, no files)
        with contextlib.suppress(OSError):  # that of the listing itself is closed by now
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                found.add(int(name))
    return found
