"""Sources that lie elsewhere (object storage, a web server, SFTP): listed, and fetched to where files are read.

`files` lists what the params name. Each file is fetched by itself, to the disk, into a folder that goes once it has
been read; from there on it is a file like any other. Its batch bears the path below what is fixed of the pattern.
"""

from __future__ import annotations

import contextlib
import errno
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import tenacity

from clv_helpers.config.validation import ParamsError, Problem
from clv_helpers.config.workbook import DATA_SUFFIXES, Workbook
from clv_helpers.ingest.readable import place_for_copies
from clv_helpers.ingest.staging import IngestError

# The library behind each kind of address; the extra that brings it bears the address's own name.
PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs", "https": "aiohttp", "sftp": "sshfs"}
KEYS = {
    "s3": "keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or ~/.aws; FSSPEC_S3_ANON=true asks without any",
    "gs": "keys come from GOOGLE_APPLICATION_CREDENTIALS or gcloud; FSSPEC_GS_TOKEN=anon asks without any",
    "az": "keys come from AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY or another of Azure's variables",
    "https": "a password comes from ~/.netrc or from https://user:${NAME}@…",
    "sftp": "keys come from ~/.ssh or an agent, a password from sftp://user:${NAME}@…",
}
# Whose errors come from the network or the other side, as OSError does.
TRANSFER = ("aiohttp", "asyncssh", "azure", "botocore", "gcsfs", "google")
LASTING = (FileNotFoundError, PermissionError, ssl.CertificateError)
DISK = (errno.ENOSPC, errno.EDQUOT)
MAGIC = re.compile(r"[*?\[]")
ATTEMPTS = 3
PAUSE = 1.0  # seconds before the second attempt; twice as many before the third
CONNECTING, SILENT = 30, 60  # seconds until a server is given up


class RemoteError(IngestError):
    """What lies elsewhere and cannot be had: nothing of it is taken."""


def file_system(url: SplitResult, **options: Any) -> Any:
    """The fsspec file system behind a URL, with the keys that its library finds by itself unless `options` say more.

    Raises ModuleNotFoundError, which says what to install.
    """
    try:
        if url.scheme == "sftp":
            return _sftp(url, **options)
        if url.scheme == "https":
            options = _https(url)
        import fsspec

        # without a cache: what was listed a moment ago may have changed since
        return fsspec.filesystem(url.scheme, skip_instance_cache=True, use_listings_cache=False, **options)
    except ImportError:
        needed = f"the package {PACKAGES[url.scheme]}: pip install 'clv-helpers[{url.scheme}]'"
        raise ModuleNotFoundError(f"{url.scheme}:// needs {needed}") from None


def _sftp(url: SplitResult, **options: Any) -> Any:
    from sshfs import SSHFileSystem

    # known_hosts (): the server must be among those that the user's own ~/.ssh/known_hosts names
    told = {"port": url.port or 22, "username": url.username, "known_hosts": (), **options}
    if url.password:
        told["password"] = unquote(url.password)
    waits = {"connect_timeout": CONNECTING, "login_timeout": CONNECTING, "keepalive_interval": SILENT / 3}
    return SSHFileSystem(url.hostname, skip_instance_cache=True, **waits, **told)


def _https(url: SplitResult) -> dict[str, Any]:
    import aiohttp

    session = {
        "trust_env": True,  # proxies, ~/.netrc
        "timeout": aiohttp.ClientTimeout(total=None, sock_connect=CONNECTING, sock_read=SILENT),
        "headers": {"Accept-Encoding": "identity"},  # the file's own bytes
        "auto_decompress": not url.path.lower().endswith(".gz"),
    }
    # SSL_CERT_FILE as it is now: aiohttp looks when it is imported
    return {"client_kwargs": session, "ssl": ssl.create_default_context(), "encoded": "%" in url.geturl()}


def without_secrets(address: str) -> str:
    """An address as people may see it: without its password, and without what follows a question mark of the web's."""
    shown = re.sub(r"(://[^/@:]*):[^/@]*@", r"\1@", address)
    return shown.partition("?")[0] if shown.startswith("http") else shown


def is_transfer(error: Exception) -> bool:
    """Whether an error is of the disk, the network or the other side; others are of our code."""
    return isinstance(error, OSError) or type(error).__module__.split(".")[0] in TRANSFER


@dataclass(frozen=True)
class SourceFile:
    """A file of a source, here or elsewhere.

    `name` is that of its batch. `version` is what its store calls this state of it (an ETag, or size and time): a
    batch of the same name and version is known without fetching it. Empty where the store tells none, and of files
    here: then the SHA-256 tells, as it does of whatever is fetched.
    """

    name: str
    path: Path | None = None
    version: str = ""
    remote: Remote | None = None
    address: str = ""

    @classmethod
    def here(cls, file: Path) -> SourceFile:
        """A file of this machine."""
        return cls(file.name, file)

    @contextlib.contextmanager
    def fetched(self, folder: Path) -> Iterator[Path]:
        """The file on this machine, for as long as the block takes; one from elsewhere comes below `folder`, for the
        owner alone.

        Raises RemoteError where it cannot be had whole. Cost: the file's size on the disk, not in memory.
        """
        if self.path or not self.remote:
            yield self.path or Path(self.name)
            return
        with place_for_copies(folder) as place:
            file = place / (PurePosixPath(self.name).name or "file")
            self.remote.fetch(self, file)
            try:
                yield file
            except IngestError as error:  # what is said of the copy is true of the file
                said = str(error).replace(str(file), file.name)
                raise IngestError(re.sub(rf"(?<![\w/]){re.escape(file.name)}", lambda _: self.name, said)) from None


def files(workbook: Workbook, dataset: str) -> list[SourceFile]:
    """The files of a dataset, sorted by name, wherever they are. Raises ParamsError for none, RemoteError as `Remote`.

    Example:
        >>> [file.name for file in remote.files(wb, "customers")]
        ['members.parquet']
    """
    url = workbook.source_url(dataset)
    if not url:
        return [SourceFile.here(file) for file in workbook.source_files(dataset)]
    source, key = workbook.params.sources[dataset], f"sources.{dataset}.path"
    place = Remote(url, source.path, str(workbook.file), key)
    found = place.files()
    if not found:
        allowed = source.hint or "a file, or a pattern that matches at least one"
        raise ParamsError(str(workbook.file), [Problem(key, f"{place.shown} (no such file)", allowed)])
    return found


class Remote:
    """What one address or pattern names elsewhere; `key` of `file` says it, and sentences begin with that.

    `written` is the address with the names of environment variables in it, `shown` that without what opens it. Raises
    ParamsError for an address that cannot be one.
    """

    def __init__(self, url: str, written: str, file: str, key: str):
        self.address, self.written, self.url, self.key = url, written, urlsplit(url), key
        self.scheme = self.url.scheme
        self.shown = without_secrets(written)
        allowed = self._mistake(written)
        if allowed:
            raise ParamsError(file, [Problem(key, repr(self.shown), allowed)])

    def _mistake(self, written: str) -> str:
        """What is allowed where the address cannot be one; empty: it can."""
        secret = re.search(r"://[^/@:]*:([^/@]*)@", written)
        if self.scheme not in PACKAGES:
            return "a path of this machine, or an address that begins with " + ", ".join(
                f"{name}://" for name in PACKAGES
            )
        if not self.url.netloc:
            return f"{self.scheme}:// with a server or a bucket, and a path"
        if secret and not re.fullmatch(r"\$\{\w+\}", secret[1]):
            return "a password by the name of an environment variable alone, such as user:${NAME}@"
        if self.scheme == "https" and MAGIC.search(unquote(self.url.path)):
            return "the address of one file: a web server cannot be asked which files it has"
        return ""

    @cached_property
    def system(self) -> Any:
        """The file system, connected when first asked for."""
        # S3: parts in order, and so with little memory; after a break it goes on where it was
        return file_system(self.url, **({"max_concurrency": 1} if self.scheme == "s3" else {}))

    def files(self) -> list[SourceFile]:
        """What there is now, sorted by name; a folder stands for the data files in it.

        Raises RemoteError where the place does not answer, or lets nobody in.
        """
        with self._refusing(self.shown):
            if self.scheme == "https":
                name = PurePosixPath(unquote(self.url.path)).name or self.url.netloc
                return [self._file(name, self.address, self.system.info(self.address))]
            return sorted(self._listed(self.system._strip_protocol(self.address)), key=lambda file: file.name)

    def _listed(self, path: str) -> Iterator[SourceFile]:
        base, found = path, []
        if fixed := re.match(r"([^*?\[]*)/[^/]*[*?\[]", path):
            base = fixed[1]
            found = list(self.system.glob(path, detail=True).values())
            if not found:
                self.system.ls(base)  # which says why, where glob passes over it
        elif (info := self.system.info(path))["type"] == "directory":
            found = [each for each in self.system.ls(path, detail=True) if DATA_SUFFIXES & set(_suffixes(each["name"]))]
        else:
            base, found = path.rpartition("/")[0], [info]
        for each in found:
            known = self.system.info(each["name"]) if each["type"] == "link" else each
            name = each["name"].removeprefix(base).strip("/")
            if known["type"] == "file" and not PurePosixPath(name).name.startswith("."):
                yield self._file(name, each["name"], known)

    def _file(self, name: str, address: str, info: dict[str, Any]) -> SourceFile:
        return SourceFile(name, version=_version(info), remote=self, address=address)

    def parts(self) -> tuple[str, str]:
        """The address as written, in what is fixed and the pattern below it; none: a file or a folder."""
        magic = MAGIC.search(self.written) if self.scheme != "https" else None
        base = self.written[: magic.start()].rpartition("/")[0] if magic else self.written.rstrip("/")
        return base, self.written[len(base) + 1 :]

    def is_file(self, found: list[SourceFile]) -> bool:
        """Whether the address is of one file, of which `found` was told."""
        return len(found) == 1 and (self.scheme == "https" or self.address.endswith(f"/{found[0].name}"))

    def fetch(self, file: SourceFile, place: Path) -> None:
        """Bring a file to a place on this machine. Raises RemoteError where it is not had whole, or has changed."""
        shown = self.shown if MAGIC.search(self.shown) is None else f"{self.shown} ({file.name})"
        attempts = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=tenacity.wait_exponential(multiplier=PAUSE),
            retry=tenacity.retry_if_exception(_may_pass),
            before_sleep=lambda _: self.__dict__.pop("system", None),  # its connection is likely gone
            reraise=True,
        )
        with self._refusing(shown):
            attempts(lambda: self.system.get_file(file.address, str(place)))
            self.system.invalidate_cache()
            now = self.system.info(file.address)
        size = None if self.scheme == "https" else now["size"]  # which may be of what is packed on the way
        if _version(now) != file.version or size not in (None, place.stat().st_size):
            raise RemoteError(f"{self.key}: {shown} has changed while it was read: nothing of it is taken; try again")

    @contextlib.contextmanager
    def _refusing(self, shown: str) -> Iterator[None]:
        """What the place and its library have against it, as a RemoteError: one sentence, without what opens it."""
        try:
            yield
        except ModuleNotFoundError as error:
            raise RemoteError(f"{self.key}: {shown}: {error}") from None
        except Exception as error:  # each library has errors of its own; ours, and those of our code, go on
            if not is_transfer(error) and type(error) is not ssl.CertificateError:
                raise
            raise RemoteError(f"{self.key}: {shown}: {self._reason(error)}") from None

    def _reason(self, error: BaseException) -> str:
        if isinstance(error, FileNotFoundError) and error.__cause__ and self.scheme == "https":
            error = error.__cause__  # fsspec says so of whatever a web server has answered
        status, name = _status(error), type(error).__name__
        text = "" if self.scheme == "https" else (str(error).strip().splitlines() or [""])[0]
        unknown = re.search("Credential|Authentication", name) is not None
        if status in (401, 403) or isinstance(error, PermissionError) or unknown:
            return f"access is denied{text and f' ({text})'}; {KEYS[self.scheme]}"
        if status in (404, 410) or isinstance(error, FileNotFoundError):
            return "there is no such file" + (", folder or bucket" if self.scheme != "https" else "")
        if status:
            return f"the server answers with status {status}"
        if isinstance(error, ssl.CertificateError):
            return "the server's certificate is not trusted; SSL_CERT_FILE names others"
        if isinstance(error, OSError) and error.errno in DISK:
            return "there is no room on the disk for it"
        silent = re.search("Connect|Timeout", name) is not None
        told = "the server does not answer" if silent else "it cannot be read, or not to its end"
        return f"{told} ({text or name})"


def _version(info: dict[str, Any]) -> str:
    """What a store calls this state of a file; empty where that tells nothing."""
    tag = str(info.get("ETag") or info.get("etag") or "")
    if tag and not tag.startswith("W/"):  # a weak one is of what looks the same
        return tag.strip('"')
    times = ("LastModified", "last_modified", "updated", "mtime")  # a web server's is often that of the asking
    changed = next((info[key] for key in times if info.get(key)), None)
    return "" if changed is None or info.get("size") is None else f"{info['size']} bytes of {changed}"


def _suffixes(name: str) -> list[str]:
    return PurePosixPath(name).suffixes


def _status(error: BaseException) -> int | None:
    """The status with which a web server has answered, if one has."""
    return getattr(error, "status", None) or getattr(error, "status_code", None)


def _may_pass(error: BaseException) -> bool:
    """Whether the same may go well a moment later: a connection that broke, a server that has too much to do."""
    status = _status(error) or 500
    on_disk = isinstance(error, OSError) and error.errno in DISK
    passing = isinstance(error, Exception) and is_transfer(error) and not isinstance(error, LASTING)
    return passing and not on_disk and (status >= 500 or status == 429)
