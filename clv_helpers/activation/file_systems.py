"""Places for files: a local folder, SFTP, S3. What is put there appears whole under its name, or not at all."""

from __future__ import annotations

import abc
import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from clv_helpers.config.destinations import DestinationError
from clv_helpers.config.validation import ParamsError, Problem
from clv_helpers.config.workbook import Workbook


class Store(abc.ABC):
    """A folder somewhere. `shown` names it for people."""

    local: ClassVar[Path | None] = None
    shown: str

    @abc.abstractmethod
    def put(self, file: Path, name: str) -> None:
        """Bring a local file there, whole or not at all, in the place of one of the same name."""

    @abc.abstractmethod
    def remove(self, name: str) -> None:
        """Take a file away."""


class Folder(Store):
    """A local folder: written beside its place, then renamed."""

    def __init__(self, folder: Path):
        self.local, self.shown = folder, f"the folder {folder}"
        folder.mkdir(parents=True, exist_ok=True)

    def put(self, file: Path, name: str) -> None:
        beside = file
        if file.parent != self.local:
            beside = self.local / f".{name}.part"
            shutil.copyfile(file, beside)
        with beside.open("rb") as stream:
            os.fsync(stream.fileno())
        beside.replace(self.local / name)

    def remove(self, name: str) -> None:
        (self.local / name).unlink(missing_ok=True)


class Remote(Store):
    """A folder behind fsspec. S3 shows an object only once it is whole; elsewhere it is uploaded beside and renamed."""

    def __init__(self, system: Any, folder: str, shown: str, renames: bool):
        self.system, self.folder, self.shown, self.renames = system, folder.rstrip("/"), shown, renames

    def put(self, file: Path, name: str) -> None:
        final, beside = f"{self.folder}/{name}", f"{self.folder}/.{name}.part"
        self.system.put_file(str(file), beside if self.renames else final)
        if self.renames:
            self.system.mv(beside, final)

    def remove(self, name: str) -> None:
        self.system.rm_file(f"{self.folder}/{name}")


@contextlib.contextmanager
def open_store(workbook: Workbook, name: str, params: Any) -> Iterator[Store]:
    """The place that a files destination names. Raises DestinationError where it does not answer."""
    scheme = urlsplit(params.path).scheme if "://" in params.path else ""
    place = f"destinations.{name}.path"
    makers = {"sftp": _sftp, "s3": _s3}
    if scheme and scheme not in makers:
        raise ParamsError(str(workbook.file), [Problem(place, repr(params.path), "a folder, sftp://… or s3://…")])
    try:
        yield makers[scheme](workbook, name, params) if scheme else Folder(workbook.path(params.path, place))
    except ModuleNotFoundError as error:
        raise DestinationError(
            f"{name}: {scheme}:// needs the package {error.name}: pip install 'clv-helpers[{scheme}]'"
        ) from None
    except DestinationError:
        raise
    except Exception as error:  # each library has errors of its own
        if not _is_of_transfer(error):
            raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DestinationError(f"{name}: {params.path} does not take the file: {reason}") from error


def _sftp(workbook: Workbook, name: str, params: Any) -> Store:
    from sshfs import SSHFileSystem

    url = urlsplit(params.path)
    options: dict[str, Any] = {"port": url.port or 22, "username": params.username or url.username}
    # the server must be known: from the named file, or from the user's own known_hosts
    options["known_hosts"] = str(_file(workbook, name, params, "known_hosts")) if params.known_hosts else ()
    options["client_keys"] = [str(_file(workbook, name, params, "private_key"))] if params.private_key else None
    if params.password_variable:
        options["password"] = params.secret(params.password_variable)
    system = SSHFileSystem(url.hostname, skip_instance_cache=True, connect_timeout=30, **options)
    return Remote(system, url.path or "/", f"sftp://{url.hostname}{url.path}", renames=True)


def _s3(workbook: Workbook, name: str, params: Any) -> Store:
    from s3fs import S3FileSystem

    url = urlsplit(params.path)
    endpoint = {"endpoint_url": params.endpoint_url} if params.endpoint_url else {}
    # the keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or from wherever else botocore looks
    system = S3FileSystem(skip_instance_cache=True, use_listings_cache=False, **endpoint)
    return Remote(system, f"{url.netloc}{url.path}", params.path, renames=False)


def _file(workbook: Workbook, name: str, params: Any, key: str) -> Path:
    found = workbook.path(getattr(params, key), f"destinations.{name}.{key}")
    if not found.is_file():
        raise DestinationError(f"{name}: {key} is {found}, and there is no such file")
    return found


def _is_of_transfer(error: Exception) -> bool:
    """Whether an error comes from the disk, the network or the other side, and not from our code."""
    return isinstance(error, OSError) or type(error).__module__.split(".")[0] in ("asyncssh", "botocore", "aiohttp")
