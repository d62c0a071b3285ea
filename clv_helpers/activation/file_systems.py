"""Places for files: a local folder, SFTP, S3. What is put there appears whole under its name, or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from clv_helpers.config.destinations import DestinationError
from clv_helpers.config.validation import ParamsError, Problem
from clv_helpers.config.workbook import Workbook

if TYPE_CHECKING:
    from clv_helpers.activation.files import FilesParams

# The libraries whose errors come from the disk, the network or the other side, as OSError does.
TRANSFER = ("asyncssh", "botocore", "aiohttp")


class Place:
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


class RemotePlace(Place):
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


@contextlib.contextmanager
def open_place(workbook: Workbook, name: str, params: FilesParams) -> Iterator[Place]:
    """The place that a files destination names. Raises DestinationError where it does not answer."""
    url = urlsplit(params.path if "://" in params.path else "")
    key = f"destinations.{name}.path"
    if url.scheme not in ("", "sftp", "s3"):
        raise ParamsError(str(workbook.file), [Problem(key, repr(params.path), "a folder, sftp://… or s3://…")])
    try:
        if url.scheme == "sftp":
            yield _sftp(workbook, name, params, url)
        elif url.scheme == "s3":
            yield _s3(params, url)
        else:
            yield Place(workbook.path(params.path, key))
    except ModuleNotFoundError as error:
        needed = f"the package {error.name}: pip install 'clv-helpers[{url.scheme}]'"
        raise DestinationError(f"{name}: {url.scheme}:// needs {needed}") from None
    except Exception as error:  # each library has errors of its own; ours, and those of our code, go on
        if not isinstance(error, OSError) and type(error).__module__.split(".")[0] not in TRANSFER:
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DestinationError(f"{name}: {params.path} does not take the file: {reason}") from error


def _sftp(workbook: Workbook, name: str, params: FilesParams, url: SplitResult) -> Place:
    from sshfs import SSHFileSystem

    options: dict[str, Any] = {"port": url.port or 22, "username": params.username or url.username}
    # the server must be known: from the named file, or from the user's own known_hosts
    options["known_hosts"] = str(existing(workbook, name, params, "known_hosts")) if params.known_hosts else ()
    options["client_keys"] = [str(existing(workbook, name, params, "private_key"))] if params.private_key else None
    if params.password_variable:
        options["password"] = params.secret(params.password_variable)
    system = SSHFileSystem(url.hostname, skip_instance_cache=True, connect_timeout=30, **options)
    return RemotePlace(system, url.path or "/", f"sftp://{url.hostname}{url.path}", renames=True)


def _s3(params: FilesParams, url: SplitResult) -> Place:
    from s3fs import S3FileSystem

    endpoint = {"endpoint_url": params.endpoint_url} if params.endpoint_url else {}
    # the keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or from wherever else botocore looks
    system = S3FileSystem(skip_instance_cache=True, use_listings_cache=False, **endpoint)
    return RemotePlace(system, f"{url.netloc}{url.path}", params.path, renames=False)


def existing(workbook: Workbook, name: str, params: FilesParams, key: str) -> Path:
    """A file that a key of the params names. Raises DestinationError where there is none."""
    file = workbook.path(getattr(params, key), f"destinations.{name}.{key}")
    if not file.is_file():
        raise DestinationError(f"{name}: {key} is {file}, and there is no such file")
    return file
