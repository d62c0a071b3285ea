"""A person is erased: files, then the lake and all that is made of it, then the published copy; and that is proved.

Each step can be done again. What names the person is kept in outputs/<workbook>/forgetting-….json until all is done,
so that a run that was killed is finished by the same command.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlglot import exp

from clv_helpers.activation.delivery import held_destination
from clv_helpers.config.datasets import PRIMARY_IDENTITY
from clv_helpers.config.tables import SCHEMAS, is_dataset
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.compact import compact
from clv_helpers.engines.dialect import column, is_in, table
from clv_helpers.engines.session import Session
from clv_helpers.files import held, write_atomically
from clv_helpers.ingest.forgotten import is_forgotten, remember_forgotten
from clv_helpers.models import all_tables
from clv_helpers.models.checkpoints import build_anew
from clv_helpers.run import history
from clv_helpers.run.person import REMARKS, Person, PersonError, count_rows, find, handed_over, rows_of
from clv_helpers.run.person_export import folder_of
from clv_helpers.run.person_files import JOURNAL, FoundFile, Records, Searched, erase, folders, search, sha256
from clv_helpers.run.refresh_all import rebuild_within

WITHHELD = "withheld: it named a person who was forgotten"


@dataclass(frozen=True)
class Forgetting:
    """What an erasure does, or did (`done`): rows by table, files with how many records, and what it cannot reach.

    `handed_over`: what left, by the ledger; `sources`: the workbook's own data in which the person still is;
    `unreadable`: files that cannot be searched; `left`: where something was found afterwards (nothing, if it is done).
    """

    customer_id: str
    done: bool = False
    tables: dict[str, int] = field(default_factory=dict)
    files: list[FoundFile] = field(default_factory=list)
    handed_over: list[dict[str, Any]] = field(default_factory=list)
    sources: list[FoundFile] = field(default_factory=list)
    unreadable: list[Path | str] = field(default_factory=list)
    shared: int = 0
    left: list[str] = field(default_factory=list)


def plan(workbook: Workbook, given: str) -> Forgetting:
    """What `forget` would do; nothing is written. Raises PersonError for one who is unknown.

    Example:
        >>> from clv_helpers.run import forget
        >>> forget.plan(wb, "M0000035").tables["profile.customer"]
        1
    """
    with workbook.engine.read_latest() as session:
        person = _person(session, workbook, given)
        tables, handed = count_rows(session, person, perhaps=True), handed_over(session, person)
    searched = search(workbook, person)
    return _told(person, searched, tables=tables, files=searched.found, handed_over=handed)


def forget(workbook: Workbook, given: str) -> Forgetting:
    """Erase a person: an identity (customer number, or an address that leads to one customer) and all that is theirs.

    Their later rows are set aside by a keyed hash. Raises PersonError for one who is unknown, LakeBusyError,
    ScheduleError or ActivationBusy where another process is at work. Cost: a build of all tables from nothing, two
    copies of the lake, and one look through each file.
    """
    if workbook.params.engine != "duckdb":
        raise PersonError(
            f"{workbook.name}: engine is {workbook.params.engine!r}; allowed for forget: duckdb, as Spark's folders of "
            "Parquet are never changed: revert the person's batches, and replay them from files without the person"
        )
    with _alone(workbook):
        with workbook.engine.write() as session:
            begun = _begin(session, workbook, given)
        person = begun.person
        shutil.rmtree(folder_of(workbook, person.customer_id), ignore_errors=True)
        for found in begun.files:
            if found.path.exists() and Records(workbook, found.path).count(person):
                erase(workbook, person, found.path)
        exports = _true_manifests(workbook, begun)
        with workbook.engine.write() as session:
            _erase_rows(session, workbook, person, exports)
        compact(workbook.engine)
        searched = search(workbook, person)
        left = [*_left_in_lake(workbook, person), *(f"{found.path}: {found.records}" for found in searched.found)]
        if not left:
            begun.file.unlink()
    told = _told(person, searched, tables=begun.tables, files=begun.files, handed_over=begun.handed_over)
    return replace(told, done=not left, left=left)


@dataclass(frozen=True)
class _Begun:
    """What is known of an erasure from its beginning: `file` holds it until it is done."""

    file: Path
    person: Person
    tables: dict[str, int]
    files: list[FoundFile]
    checksums: dict[str, str]
    handed_over: list[dict[str, Any]]


def _told(person: Person, searched: Searched, **facts: Any) -> Forgetting:
    return Forgetting(
        person.customer_id, sources=searched.sources, unreadable=searched.unreadable, shared=person.shared, **facts
    )


@contextlib.contextmanager
def _alone(workbook: Workbook) -> Iterator[None]:
    """Nothing refreshes, streams or delivers meanwhile. The lake is held by each step that writes to it."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(history.alone(workbook))
        stream = workbook.folder / "stream"
        if stream.is_dir() and not stack.enter_context(held(stream / "lock")):
            raise PersonError(f"{workbook.name}: a process streams into it; stop it, then run again")
        for destination in workbook.params.destinations if (workbook.folder / "activation").is_dir() else ():
            stack.enter_context(held_destination(workbook.folder / "activation", destination))
        yield


def _begin(session: Session, workbook: Workbook, given: str) -> _Begun:
    """Find out about the person, and keep it; or take up what a killed run has kept."""
    before = _read_journal(workbook, given)
    person = _person(session, workbook, given)
    found = search(workbook, person).found
    if before:
        known = {file.path for file in before.files}
        before.files.extend(file for file in found if file.path not in known)
        before.checksums.update({str(f.path): sha256(f.path) for f in found if f.path not in known})
    begun = before or _Begun(
        workbook.folder / f"{JOURNAL}{uuid.uuid4().hex[:8]}.json",
        person,
        count_rows(session, person, perhaps=True),
        found,
        {str(file.path): sha256(file.path) for file in found},
        handed_over(session, person),
    )
    begun.file.touch(0o600)
    write_atomically(begun.file, json.dumps(asdict(begun), default=str))
    begun.file.chmod(0o600)
    return begun


def _person(session: Session, workbook: Workbook, given: str) -> Person:
    """The person who is given: as the lake knows them, or as they were when an erasure began that is not done."""
    if begun := _read_journal(workbook, given):
        return begun.person
    try:
        return find(session, workbook, given)
    except PersonError:
        if is_forgotten(session, workbook, given):
            raise PersonError(f"{workbook.name}: this person was forgotten before; nothing is held") from None
        raise


def _read_journal(workbook: Workbook, given: str) -> _Begun | None:
    """What is kept of an erasure that is not done, of the person who is given."""
    for file in workbook.folder.glob(f"{JOURNAL}*.json"):
        kept = json.loads(file.read_text("utf-8") or "null")
        person = Person(**kept["person"]) if kept else None
        if person and given in (*person.numbers, *(v for values in person.identities.values() for v in values)):
            files = [FoundFile(Path(each["path"]), each["records"], each["is_table"]) for each in kept["files"]]
            return _Begun(file, person, kept["tables"], files, kept["checksums"], kept["handed_over"])
    return None


def _true_manifests(workbook: Workbook, begun: _Begun) -> list[dict[str, Any]]:
    """Rows, size and checksum of exports that were written anew, in their manifests too; gives them with the old."""
    changed = []
    for name, before in begun.checksums.items():
        file = Path(name)
        if file.exists() and (after := sha256(file)) != before:
            facts = {"rows": Records(workbook, file).rows(), "bytes": file.stat().st_size, "sha256": after}
            changed.append({"name": file.name, "before": before, **facts})
    for folder in folders(workbook):
        for manifest in folder.rglob("manifest-*.json"):
            content = json.loads(manifest.read_text("utf-8"))
            files = [*content.get("files", ()), *content.get("control", ())]
            true = [entry.update(_facts(change)) for entry in files for change in changed if _is_of(entry, change)]
            if true:
                write_atomically(manifest, json.dumps(content, indent=2) + "\n")
                manifest.chmod(0o600)
    return changed


def _is_of(entry: dict[str, Any], change: dict[str, Any]) -> bool:
    return (entry["name"], entry["sha256"]) == (change["name"], change["before"])


def _facts(change: dict[str, Any]) -> dict[str, Any]:
    return {key: change[key] for key in ("rows", "bytes", "sha256")}


def _erase_rows(session: Session, workbook: Workbook, person: Person, exports: list[dict[str, Any]]) -> None:
    """Out of every table, and all that is made of them anew, in one transaction."""
    for number in person.numbers:
        remember_forgotten(session, workbook, number)
    views = {model.name for model in all_tables(workbook, *SCHEMAS) if model.refresh == "view"}
    for name, condition in list(rows_of(session, person, perhaps=True)):
        found = exp.select("*").from_(table(name)).where(condition)
        if name in views or not session.count(found.subquery("r")):
            continue
        if name in REMARKS:
            change = f"UPDATE $table SET {REMARKS[name]} = $withheld WHERE $condition"
            session.run(change, table=table(name), withheld=WITHHELD, condition=condition)
        else:
            session.run("DELETE FROM $table WHERE $condition", table=table(name), condition=condition)
            session.set_version(name, str(uuid.uuid4()))
    _erase_mentions(session, person)
    for export in exports:
        for name, place in (("activation.part", "name"), ("lake.batch_log", "file"), ("lake.batches", "file")):
            if session.has_table(name):  # a file that is a batch stays known as it
                change = f"UPDATE $table SET sha256 = $sha256 WHERE {place} = $name AND sha256 = $before"
                session.run(change, table=table(name), **export)
        if session.has_table("activation.part"):
            change = "UPDATE activation.part SET rows = $rows, bytes = $bytes WHERE name = $name AND sha256 = $sha256"
            session.run(change, **export)
    build_anew(session)
    rebuild_within(session, workbook)


def _erase_mentions(session: Session, person: Person) -> None:
    """The person's words in what came in of others, such as who was recommended by whom: their value goes."""
    words = [word.lower() for word in person.words]
    for name in filter(is_dataset, session.tables()):
        kinds = session.columns(table(name)) if words else {}
        for text in [key for key, kind in kinds.items() if kind == "VARCHAR" and key != PRIMARY_IDENTITY]:
            mine = is_in(exp.Lower(this=exp.Trim(this=column(text))), words)
            if session.count(exp.select("*").from_(table(name)).where(mine).subquery("r")):
                nothing = exp.EQ(this=column(text), expression=exp.null())
                session.run(exp.Update(this=table(name), expressions=[nothing], where=exp.Where(this=mine)))


def _left_in_lake(workbook: Workbook, person: Person) -> list[str]:
    """Where the lake and its published copy still name the person: by their tables, and by their bytes."""
    left = []
    with workbook.engine.read_latest() as latest, workbook.engine.read() as published:
        for place, session in (("lake", latest), ("published", published)):
            left += [f"{place}: {name}: {rows}" for name, rows in count_rows(session, person, perhaps=True).items()]
    words = {form.encode() for word in person.words for form in (word, word.lower(), word.upper())}
    for file in sorted(workbook.folder.rglob("*")):
        if words and file.suffix in (".duckdb", ".wal") and file.stat().st_size:
            with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
                left += [f"{file}: its bytes"] * any(content.find(word) >= 0 for word in words)
    return left
