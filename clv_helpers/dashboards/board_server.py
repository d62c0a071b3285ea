"""Voila for as long as the process that started it: it ends when the pipe on its standard input does.

The pipe closes however that process ends, also by kill -9. Kernels end with Voila: they watch their parent.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

GRACE_SECONDS = 5.0


def _end_with_the_pipe() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    from voila.app import main  # type: ignore[import-untyped]

    sys.argv.append(f"--token={os.environ.pop('CLV_BOARD_TOKEN')}")  # there, not where `ps` shows it
    threading.Thread(target=_end_with_the_pipe, daemon=True).start()
    sys.exit(main())
