"""Where tables are on Spark: folders of Parquet that are never changed, and a manifest that says which ones count.

A table that changes gets a new folder; a batch of events its own, `_batch_id=7`. What counts is what the manifest
names, and that is one small file, written beside and renamed: so a commit is whole or absent, and whoever has read
the manifest before goes on reading the folders of then.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from clv_helpers.files import write_atomically

BATCH = "_batch_id"
KEPT_SECONDS = 3_600  # for readers who began before: only then is a folder that no manifest names any more deleted


@dataclass(frozen=True)
class Stored:
    """A table: its columns (name → Spark's type) and the rows in each of its folders; or a view: its query, in our SQL.

    `by_batch`: a folder for each batch, which holds no column `_batch_id`: that is in the folder's name.
    """

    columns: dict[str, str]
    folders: dict[str, int] = field(default_factory=dict)
    version: str | None = None
    view: str = ""
    by_batch: bool = False

    @property
    def rows(self) -> int:
        return sum(self.folders.values())

    def with_folder(self, folder: str, rows: int) -> Stored:
        return replace(self, folders={**self.folders, folder: rows})

    def without_batch(self, batch: int) -> Stored:
        of_batch = f"/{BATCH}={batch}/"
        return replace(self, folders={name: rows for name, rows in self.folders.items() if of_batch not in name})


@dataclass(frozen=True)
class Manifest:
    """All that counts: tables and views by name; of the metadata tables their file and version."""

    tables: dict[str, Stored] = field(default_factory=dict)
    metadata: dict[str, tuple[str, str | None]] = field(default_factory=dict)

    @property
    def folders(self) -> set[str]:
        return {folder for stored in self.tables.values() for folder in stored.folders}

    @property
    def files(self) -> set[str]:
        return {file for file, _ in self.metadata.values()}


class Store:
    """A folder of tables, and the manifests in it."""

    def __init__(self, root: Path, metadata_tables: frozenset[str] = frozenset()):
        self.root, self.metadata_tables = root, metadata_tables

    def read(self, file: Path) -> Manifest:
        """The manifest in a file; an empty one where there is no such file."""
        if not file.exists():
            return Manifest()
        raw = json.loads(file.read_text(encoding="utf-8"))
        tables = {name: Stored(**stored) for name, stored in raw["tables"].items()}
        return Manifest(tables, {name: (path, version) for name, (path, version) in raw["metadata"].items()})

    def write(self, file: Path, manifest: Manifest) -> None:
        """Make a manifest the one that counts: the moment of the commit."""
        tables = {name: asdict(stored) for name, stored in manifest.tables.items()}
        write_atomically(file, json.dumps({"tables": tables, "metadata": manifest.metadata}))

    def new_folder(self, name: str, batch: int | None = None) -> str:
        """A folder of a table, relative to the root, that nobody has used."""
        part = "" if batch is None else f"/{BATCH}={batch}"
        return f"tables/{name.replace('.', '/')}{part}/{uuid.uuid4().hex}"

    def table_folder(self, name: str) -> str:
        return str(self.root / "tables" / name.replace(".", "/"))

    def delete_unused(self, *manifests: Manifest) -> None:
        """Delete what no manifest names and nobody can still be reading. Cost: a walk over the folders' names."""
        kept = {path for manifest in manifests for path in manifest.folders | manifest.files}
        loose = [path for folder in ("metadata", "scratch") for path in (self.root / folder).glob("*")]
        for path in [*_leaves(self.root / "tables"), *loose]:
            old = time.time() - path.stat().st_mtime > KEPT_SECONDS
            if old and str(path.relative_to(self.root)) not in kept:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _leaves(folder: Path) -> Iterator[Path]:
    """The folders that Spark wrote: named by 32 hexadecimal digits."""
    for path, names, _ in os.walk(folder):
        for name in [name for name in names if len(name) == 32 and "=" not in name]:
            names.remove(name)
            yield Path(path, name)


def parquet_rows(folder: Path) -> int:
    """How many rows the Parquet files of a folder hold, read from their footers."""
    from pyarrow.parquet import read_metadata

    return sum(read_metadata(file).num_rows for file in folder.glob("*.parquet"))
