"""A MariaDB of a test's own, from the system's packages, on a port of 127.0.0.1 and a socket in a folder."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PASSWORD = "a-secret-of-the-tests"


@dataclass
class MariaDb:
    """A running server. `address`: of the user shop, with its password; `process`: to be killed by a test."""

    socket: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        return f"mysql://shop:{PASSWORD}@127.0.0.1:{self.port}/shop"

    def run(self, sql: str) -> str:
        """What the client prints for a script. Raises AssertionError with what the server says against it."""
        command = ["mariadb", "--no-defaults", "-S", str(self.socket), "-u", "root", "-N", "-B", "shop"]
        done = subprocess.run(command, input=sql, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr.strip()
        return done.stdout


@contextlib.contextmanager
def mariadb(folder: Path) -> Iterator[MariaDb]:
    """A server in an empty folder, until the end; as root it is run as the user mysql."""
    user = "mysql" if os.geteuid() == 0 else None
    data, said = folder / "data", {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
    if user:
        entry = pwd.getpwnam(user)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    install = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal"]
    subprocess.run([*install, "--skip-test-db"], check=True, user=user, **said)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = shutil.which("mariadbd") or "/usr/sbin/mariadbd"
    at = ["--bind-address=127.0.0.1", f"--port={port}", f"--socket={folder / 's'}", f"--pid-file={folder / 'pid'}"]
    quick = ["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M", "--skip-name-resolve"]
    server: Any = subprocess.Popen([program, "--no-defaults", f"--datadir={data}", *at, *quick], user=user, **said)
    try:
        client = ["mariadb", "--no-defaults", "-S", str(folder / "s"), "-u", "root"]
        made = f"CREATE DATABASE shop; GRANT ALL ON shop.* TO 'shop'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';"
        deadline = time.monotonic() + 60
        while subprocess.run([*client, "-e", made], check=False, capture_output=True).returncode:
            assert server.poll() is None and time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.1)
        yield MariaDb(folder / "s", port, server)
    finally:
        server.kill()
        server.wait(30)
