"""A run's report brought to its readers: into folders, then by mail; each reader once per run, also after a kill."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from clv_helpers.activation.mail_server import Journal, connected, transmit
from clv_helpers.config.destinations import DestinationError
from clv_helpers.config.report import Delivery
from clv_helpers.config.workbook import Workbook
from clv_helpers.errors import UserError
from clv_helpers.files import held, owner_only, write_atomically
from clv_helpers.report.content import ReportError, collect
from clv_helpers.report.mail import Letter, letter, message
from clv_helpers.report.opened import opened, suffix
from clv_helpers.report.run_record import RUN, RunRecord, find
from clv_helpers.report.writing import write

SERVER = "report.smtp"
Log = Callable[[str], None]


@dataclass
class Delivered:
    """How far the delivery of a run's report is; readers are addresses and folders.

    `in_doubt`: the reply of the mail server was lost, so the mail may have arrived. `problem`: why `waiting` wait.
    """

    run: str
    delivered: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    rejected: dict[str, str] = field(default_factory=dict)
    in_doubt: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    problem: str = ""

    @property
    def is_done(self) -> bool:
        """Whether every reader has it."""
        return not (self.rejected or self.in_doubt or self.waiting)

    @property
    def sentence(self) -> str:
        """All of it, for people."""
        parts = [f"report of run {self.run}: delivered to {_listed(self.delivered)}"]
        parts += [f"delivered before: {_listed(self.before)}"] if self.before else []
        parts += [f"rejected: {reader} ({reason})" for reader, reason in self.rejected.items()]
        if self.in_doubt:
            parts.append(
                f"in doubt, as the server's reply was lost: {_listed(self.in_doubt)}; "
                "where it did not arrive: clv report PARAMS deliver --again"
            )
        parts += [f"not delivered yet: {_listed(self.waiting)} ({self.problem})"] if self.waiting else []
        return "; ".join(parts)


def deliver(workbook: Workbook, run: str = "", again: bool = False, log: Log = lambda _: None) -> Delivered:
    """Bring a run's report (none: of the latest whole one) to the readers that have not got it yet.

    Who was rejected is tried again, who is in doubt with `again` alone. Raises ReportError where the params name no
    reader, or another process delivers; NoSuchRun. A server that does not answer, or a reader who is rejected, is told
    in what is given.
    """
    if not workbook.params.report.deliver:
        raise ReportError(f"{workbook.file}: report.deliver is missing; allowed: a list of folder or mail")
    folder, record = find(workbook.folder, run, log)
    notes = workbook.folder / "deliveries"
    with held(notes / "lock") as ours:
        if not ours:
            raise ReportError(f"{workbook.name}: another process delivers the report; wait for it, then try again")
        journal = Journal(notes / f"{record.run}.jsonl")
        owner_only(notes)
        return _Round(workbook, record, folder, journal, again).all()


class _Round:
    """One attempt at all readers of a run's report."""

    def __init__(self, workbook: Workbook, record: RunRecord, folder: Path, journal: Journal, again: bool):
        self.workbook, self.record, self.folder, self.journal = workbook, record, folder, journal
        self.params, self.written = workbook.params.report, set[Path]()
        self.outcome = journal.outcome()
        self.has = set(self.outcome.delivered or []) | (set() if again else set(self.outcome.in_doubt))

    def all(self) -> Delivered:
        """Folders first, so that what a mail links to is there."""
        problem = ""
        for place, entry in enumerate(self.params.deliver):
            if entry.folder:
                self._into_folder(entry, f"report.deliver[{place}].folder")
        try:
            self._by_mail([*self._mails()])
        except DestinationError as error:
            problem = str(error)
        return self._result(problem)

    def _into_folder(self, entry: Delivery, key: str) -> None:
        reader, name = self._reader(entry), file_name(self.record, entry.filter)
        if reader in self.has:
            return
        try:
            target = self.workbook.path(entry.folder, key)
            write_atomically(target / name, self._file(entry.filter).read_text(encoding="utf-8"))
            self._keep_latest(target, name)
        except (OSError, UserError) as error:
            self.journal.note("rejected", reader, _reason(error))
        else:
            self.journal.note("delivered", reader)

    def _reader(self, entry: Delivery) -> str:
        """A folder as a reader: the file that it gets."""
        return f"{entry.folder.rstrip('/')}/{file_name(self.record, entry.filter)}"

    def _keep_latest(self, target: Path, name: str) -> None:
        """Delete earlier reports beyond those that are kept, of this workbook and filter alone."""
        before, after = (re.escape(part) for part in name.split(self.record.run))
        ours = sorted(file for file in target.iterdir() if re.fullmatch(f"{before}{RUN}{after}", file.name))
        for file in ours[: -self.params.keep] if self.params.keep else []:
            file.unlink()

    def _mails(self) -> Iterator[tuple[str, Letter]]:
        """The readers who are due, each with the letter; where none can be written they are rejected."""
        for entry in self.params.deliver:
            due = [address for address in entry.mail if address not in self.has]
            if not due:
                continue
            try:
                written = self._letter(entry)
            except (OSError, UserError) as error:
                for address in due:
                    self.journal.note("rejected", address, _reason(error))
                continue
            yield from ((address, written) for address in due)

    def _by_mail(self, due: list[tuple[str, Letter]]) -> None:
        """One connection for all. Each mail is noted before the server may have it, and once it has replied."""
        server = self.params.smtp
        if not due or server is None:
            return
        ca_file = self.workbook.path(server.ca_file, f"{SERVER}.ca_file") if server.ca_file else None
        with connected(server, SERVER, ca_file) as connection:
            for address, written in due:
                mail = message(written, self.record.run, server.sender, address)
                begin = partial(self.journal.note, "begun", address)
                reason = transmit(connection, server, SERVER, mail, begin)
                self.journal.note("rejected" if reason else "delivered", address, reason)

    def _letter(self, entry: Delivery) -> Letter:
        name, content = file_name(self.record, entry.filter), collect(self.record, self.folder)
        return letter(
            self.workbook,
            self.record,
            opened(content, entry.filter),
            wanted=entry.filter,
            file=self._file(entry.filter),
            file_name=name,
            link=f"{entry.link.rstrip('/')}/{name}" if entry.link else "",
        )

    def _file(self, wanted: dict[str, str]) -> Path:
        """The report, as a run wrote it; opened with a filter it is written, once for all who have the same."""
        file = self.folder / f"report{suffix(wanted)}.html"
        if file not in self.written and (wanted or not file.exists()):
            write(self.workbook, self.record, self.folder, wanted=wanted)
        self.written.add(file)
        return file

    def _result(self, problem: str) -> Delivered:
        readers = [each for entry in self.params.deliver for each in entry.mail or [self._reader(entry)]]
        now, before = self.journal.outcome(), set(self.outcome.delivered or [])
        has = set(now.delivered or [])
        return Delivered(
            self.record.run,
            delivered=[each for each in readers if each in has - before],
            before=[each for each in readers if each in has & before],
            rejected={each: now.rejected[each] for each in readers if each in now.rejected},
            in_doubt=[each for each in readers if each in now.in_doubt],
            waiting=[each for each in readers if each not in has | {*now.rejected, *now.in_doubt}],
            problem=problem,
        )


def file_name(record: RunRecord, wanted: dict[str, str]) -> str:
    """What a run's report is called where it is delivered, one name per filter: `shop-<run>-region-nordics.html`."""
    return f"{record.workbook}-{record.run}{suffix(wanted)}.html"


def _reason(error: Exception) -> str:
    text = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
    return " ".join(text.split())


def _listed(readers: list[str]) -> str:
    return ", ".join(readers) or "nobody"
