"""A report brought to its readers through a real mail server: what arrives, once, and what is said otherwise."""

from __future__ import annotations

import json
import multiprocessing
import random
import re
from collections import Counter
from dataclasses import asdict
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from servers import PASSWORD, USER, SmtpServer, smtp_server
from shops import scheduled_shop
from typer.testing import CliRunner

from clv_helpers import report, schedule
from clv_helpers.charts.show import BOARD_MIME, FINDING_MIME, METRICS_MIME
from clv_helpers.cli import app
from clv_helpers.config.validation import ParamsError
from clv_helpers.config.workbook import Workbook
from clv_helpers.report.content import Block, Content, Section
from clv_helpers.report.opened import opened
from clv_helpers.report.printing import on_paper
from clv_helpers.report.run_record import RunRecord, StageRecord, keep_latest
from clv_helpers.run import notebooks
from clv_helpers.run.notebooks import STAGES
from conftest import often, write_shop

RUN = "20260105-053001-120"
TRIALS = often(100, 5)
processes = multiprocessing.get_context("forkserver")


def card(title: str, mark: Any) -> dict[str, Any]:
    """A chart of a board that follows its one filter, of two choices."""
    rows = [{"decile": d, "value": d * (choice + 1), "choice": choice} for d in (1, 2) for choice in (0, 1)]
    spec = {
        "mark": mark,
        "encoding": {"x": {"field": "decile", "type": "ordinal"}, "y": {"field": "value", "type": "quantitative"}},
        "data": {"name": "rows"},
        "datasets": {"rows": rows},
        "params": [{"name": "choice", "value": 0}],
        "transform": [{"filter": "datum.choice === choice"}],
    }
    texts = [[f"{title} of all", "All regions"], [f"{title} of the Nordics", "One region"]]
    choices = {"filters": [[0, 2]], "texts": texts, "html": None, "first": 0}
    looks = {"html": "", "width": "half", "pick": [], "headers": {}}
    return {"title": texts[0][0], "subtitle": texts[0][1], "spec": spec, "choices": choices, **looks}


def board() -> dict[str, Any]:
    filters = [{"label": "Region", "options": ["ALL", "Nordics"], "first": 0, "used": True}]
    cards = [card("A figure", {"type": "text"}), card("Bars", {"type": "bar"}), card("A line", {"type": "line"})]
    return {"name": "value", "title": "Value", "description": "", "filters": filters, "cards": cards}


def keep(workbook: Workbook, run: str = RUN, *, with_board: bool = True) -> Path:
    """A run as `clv run` leaves it: its record, a notebook with a metric, a finding and a board, and a report."""
    finding = "The best tenth brings 43% of the value."
    outputs: list[dict[str, Any]] = [
        {METRICS_MIME: [{"label": "customers", "value": "1,240", "note": "74% came back"}]},
        {FINDING_MIME: finding, "text/html": f"<p>{finding}</p>"},
        *([{BOARD_MIME: board()}] if with_board else []),
    ]
    cells = [{"cell_type": "code", "source": "", "outputs": [{"data": data} for data in outputs]}]
    folder = workbook.folder / "runs" / run
    folder.mkdir(parents=True)
    (folder / f"{STAGES[3]}.ipynb").write_text(json.dumps({"cells": cells}))
    stages = [StageRecord(number, name, "done") for number, name in STAGES.items()]
    params = {"title": "A small shop", "min_cell": 11}
    record = RunRecord(run, workbook.name, "shop.yml", "", {}, params, "", {}, "2026-01-05", stages)
    record.report, record.as_of_day = "report.html", "2026-01-04"
    (folder / "run.json").write_text(json.dumps(asdict(record)))
    (folder / "report.html").write_text("<p>Déjà vu</p>\n")
    return folder


def reading(shop: Workbook, server: SmtpServer, *deliver: dict[str, Any], **report: Any) -> Workbook:
    """The shop with readers, as its params file has it."""
    smtp = {"host": "127.0.0.1", "port": server.port, "ca_file": str(server.ca_file), "username": USER}
    smtp |= {"password_variable": "CLV_TEST_SECRET", "sender": "The shop <clv@example.com>"}
    section = {"smtp": smtp, "deliver": [*deliver], **report}
    text = re.sub(r"report: .*\n", "", shop.file.read_text())
    shop.file.write_text(f"{text}report: {json.dumps(section)}\n")
    return Workbook.open(shop.file)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmtpServer:
    monkeypatch.setenv("CLV_TEST_SECRET", PASSWORD)
    with smtp_server(tmp_path) as running:
        yield running


def parts(mail: EmailMessage) -> tuple[str, str, dict[str, bytes]]:
    """A mail's text, its HTML, and its pictures by the name under which the HTML shows them."""
    pictures = {
        p["Content-ID"].strip("<>"): p.get_content() for p in mail.walk() if p.get_content_type() == "image/png"
    }
    return mail.get_body(("plain",)).get_content(), mail.get_body(("html",)).get_content(), pictures


class TestMail:
    def test_shows_page_one_and_brings_the_file(self, shop: Workbook, server: SmtpServer) -> None:
        wb = reading(shop, server, {"mail": ["ann@example.com", "ben@example.com"]}, {"folder": "shared"})
        folder = keep(wb)
        told = report.deliver(wb)
        name = f"shop-{RUN}.html"
        assert told.is_done
        assert told.delivered == ["ann@example.com", "ben@example.com", f"shared/{name}"]
        assert server.recipients == ["ann@example.com", "ben@example.com"]
        assert (shop.file.parent / "shared" / name).read_text() == (folder / "report.html").read_text()
        mail = server.messages[0]
        assert mail["Subject"] == "A small shop · as of 4 January 2026"
        text, html, pictures = parts(mail)
        for said in (text, html):
            assert "The best tenth brings 43% of the value." in said
            assert "1,240" in said
        assert set(re.findall(r"cid:(\w+)", html)) == pictures.keys() == {"chart1", "chart2"}  # no figure among them
        assert all(picture.startswith(b"\x89PNG") for picture in pictures.values())
        (file,) = mail.iter_attachments()
        assert (file.get_filename(), file.get_content()) == (name, (folder / "report.html").read_text())
        again = report.deliver(wb)
        assert (again.delivered, len(again.before), len(server.messages)) == ([], 3, 2)

    def test_with_a_filter_opens_with_it_and_says_what_is_of_all(self, shop: Workbook, server: SmtpServer) -> None:
        nordics, link = {"region": "Nordics"}, "https://reports.example.com/clv/"
        wb = reading(shop, server, {"folder": "in", "filter": nordics},
                     {"mail": ["ann@example.com"], "filter": nordics, "link": link})  # fmt: skip
        keep(wb)
        assert report.deliver(wb).is_done
        (mail,) = server.messages
        name = f"shop-{RUN}-region-nordics.html"
        text, html, _ = parts(mail)
        assert f"The whole report: {link}{name}" in text
        assert [*mail.iter_attachments()] == []
        assert "Bars of the Nordics" in html
        assert "Bars of all" not in html
        assert "key figures and findings above are of all customers" in text
        page = (shop.file.parent / "in" / name).read_text()
        assert "<option selected>Nordics</option>" in page
        assert '<h3 class="clv-title">Bars of the Nordics</h3>' in page

    def test_names_no_customer(self, shop: Workbook, server: SmtpServer) -> None:
        wb = reading(shop, server, {"mail": ["ann@example.com"]})
        folder = keep(wb)
        with wb.engine.write(publish=True) as session:
            session.run("UPDATE lake.purchases SET customer_id = 'C-77001' WHERE customer_id = 'a'")
        notebook = folder / f"{STAGES[3]}.ipynb"
        notebook.write_text(notebook.read_text().replace("The best tenth", "Customer C-77001"))
        told = report.deliver(wb)
        assert "the mail shows a customer's number" in told.rejected["ann@example.com"]
        assert server.messages == []

    def test_a_filter_that_is_on_no_board_is_said_and_stops_nobody_else(
        self, shop: Workbook, server: SmtpServer
    ) -> None:
        wrong = [
            {"mail": ["ann@example.com"], "filter": {"Regin": "Nordics"}},
            {"mail": ["ben@example.com"], "filter": {"Region": "North"}},
        ]
        wb = reading(shop, server, *wrong, {"mail": ["eve@example.com"]})
        keep(wb)
        told = report.deliver(wb)
        assert told.rejected["ann@example.com"] == "filter 'Regin' is on no board; did you mean Region?"
        assert told.rejected["ben@example.com"].startswith("filter Region is 'North'; ")
        assert server.recipients == ["eve@example.com"]


class TestOnce:
    def test_rejected_is_tried_again(self, shop: Workbook, server: SmtpServer) -> None:
        wb = reading(shop, server, {"mail": ["ann@example.com", "ben@example.com"]})
        keep(wb)
        server.refused = {"ann@example.com": "450 4.2.1 mailbox busy"}
        done = CliRunner().invoke(app, ["report", str(wb.file), "deliver"])
        assert done.exit_code == 1
        assert "rejected: ann@example.com (450 4.2.1 mailbox busy)" in done.output
        server.refused = {}
        assert CliRunner().invoke(app, ["report", str(wb.file), "deliver"]).exit_code == 0
        assert server.recipients == ["ben@example.com", "ann@example.com"]

    def test_a_lost_reply_is_in_doubt_and_sent_again_when_asked(self, shop: Workbook, server: SmtpServer) -> None:
        wb = reading(shop, server, {"mail": ["ann@example.com", "ben@example.com", "eve@example.com"]})
        keep(wb)
        server.hangs_up_after = 1
        first = report.deliver(wb)
        assert (first.delivered, first.in_doubt) == (["ann@example.com"], ["ben@example.com"])
        assert "not delivered yet: eve@example.com (report.smtp: the connection to 127.0.0.1 broke" in first.sentence
        server.hangs_up_after = 10**9
        second = report.deliver(wb)
        assert (second.delivered, second.in_doubt) == (["eve@example.com"], ["ben@example.com"])
        assert "in doubt" in second.sentence
        assert report.deliver(wb, again=True).is_done
        assert Counter(server.recipients) == {"ann@example.com": 1, "ben@example.com": 2, "eve@example.com": 1}
        assert len({mail["Message-ID"] for mail in server.messages}) == 3  # by which a receiver knows a repetition

    def test_killed_at_any_moment_each_gets_it_once(self, shop: Workbook, server: SmtpServer) -> None:
        readers = [f"reader{number}@example.com" for number in range(6)]
        wb, chance = reading(shop, server, {"mail": readers}), random.Random(20)
        processes.set_forkserver_preload(["clv_helpers.report", "jinja2", "pandas"])  # once, before the forks
        for trial in range(TRIALS):
            run, before = f"20260105-05{trial:04}-000", len(server.messages)
            keep(wb, run, with_board=False)
            child = processes.Process(target=report.deliver, args=(Workbook.open(wb.file), run))
            child.start()
            moment = before + chance.randint(0, len(readers) - 1)
            while child.is_alive() and len(server.messages) < moment:
                child.join(0.001)
            child.join(chance.uniform(0, 0.02))
            child.kill()
            child.join()
            told = report.deliver(wb, run)
            got = Counter(str(mail["To"]) for mail in server.messages[before:])
            assert all(got[reader] == 1 for reader in readers if reader not in told.in_doubt)
            assert all(got[reader] <= 1 for reader in told.in_doubt)
            assert len(told.in_doubt) <= 1


class TestParams:
    @pytest.mark.parametrize(
        ("section", "says"),
        [
            ({"deliver": [{}]}, "deliver[0].folder is missing, and so is mail; allowed: one of the two, such as mail:"),
            (
                {"deliver": [{"mail": ["ann"]}]},
                "deliver[0].mail[0] is 'ann'; allowed: one address, such as ann@example",
            ),
            ({"deliver": [{"mail": ["a@b.org"]}]}, "smtp is missing; allowed: host and sender of the mail server"),
            (
                {"deliver": [{"mail": ["a@b.org", "A@b.org"]}]},
                "deliver is to a@b.org twice; allowed: each address once",
            ),
            ({"deliver": [{"folder": "x", "link": "https://x.org"}]}, "deliver[0].link is 'https://x.org'; allowed: "),
            ({"paper": "a5"}, "paper is 'a5'; allowed: 'A4' or 'letter'"),
        ],
    )
    def test_wrong_ones_are_named(self, tmp_path: Path, section: dict[str, Any], says: str) -> None:
        params = write_shop(tmp_path, extra=f"report: {json.dumps(section)}\n")
        with pytest.raises(ParamsError, match=re.escape(f"report.{says}")):
            Workbook.open(params)

    def test_a_filter_of_no_board_is_found_before_a_run(self, shop: Workbook, server: SmtpServer) -> None:
        wb = reading(shop, server, {"folder": "in", "filter": {"look-back": "12 months", "Lok-back": "all"}})
        (problem,) = notebooks.check(wb)
        assert str(problem) == "report.deliver[0].filter is 'Lok-back'; did you mean Look-back?"

    def test_without_a_reader_it_is_said(self, shop: Workbook) -> None:
        keep(shop)
        with pytest.raises(report.ReportError, match="report.deliver is missing; allowed: a list of folder or mail"):
            report.deliver(shop)


def test_a_filter_changes_what_is_shown_and_nothing_else() -> None:
    content = Content([Section(3, "Dashboard", [Block("charts", title="V", charts=board()["cards"],
                                                      filters=board()["filters"])])], findings=["f"])  # fmt: skip
    shown = opened(content, {"region": "nordics"})
    (block,) = shown.sections[0].blocks
    assert [chart["title"] for chart in block.charts][1:] == ["Bars of the Nordics", "A line of the Nordics"]
    assert block.charts[1]["spec"]["params"] == [{"name": "choice", "value": 1}]
    assert block.filters[0]["first"] == 1
    assert opened(content, {}) == content
    assert block.charts[1]["spec"]["datasets"] == board()["cards"][1]["spec"]["datasets"]
    assert shown.findings == content.findings


def test_the_latest_whole_runs_stay(shop: Workbook, server: SmtpServer) -> None:
    names = [f"2026010{day}-000000-000" for day in range(1, 7)]
    wb = reading(shop, server, {"folder": "shared"}, keep=2)
    folders = [keep(wb, name, with_board=False) for name in names]
    for name in names:
        report.deliver(wb, name)
    assert [file.name for file in sorted((shop.file.parent / "shared").iterdir())] == [
        f"shop-{name}.html" for name in names[-2:]
    ]
    for failed in (folders[0], folders[5]):  # the newest has no report
        (failed / "report.html").unlink()
    (wb.folder / "runs" / "notes of mine").mkdir()
    assert keep_latest(wb.folder, 5) == []
    assert keep_latest(wb.folder, 2) == names[:3]
    left = sorted(folder.name for folder in (wb.folder / "runs").iterdir())
    assert left == [*names[3:], "notes of mine"]
    assert not (wb.folder / "deliveries" / f"{names[0]}.jsonl").exists()


@pytest.mark.parametrize("paper", ["A4", "letter"])
def test_on_paper_a_title_ends_no_rule(paper: Any) -> None:
    page = on_paper("<head><title>A &quot;shop&quot;; } </style></title></head><body>", paper)
    assert f"@page {{ size: {paper};" in page
    assert page.count("</style>") == 2  # the title's own, and that of the rules
    assert 'content: "A \\000022shop\\000022' in page


def test_the_schedule_delivers_and_tells_the_analyst_where_it_does_not(
    outputs: Path, tmp_path: Path, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebooks, "run", lambda file, log: keep(Workbook.open(file), f"2026010{len(runs)}-000000-000"))
    told = tmp_path / "told.json"
    command = ["python3", "-c", f"import sys; open({str(told)!r}, 'w').write(sys.stdin.read())"]
    shop = scheduled_shop(tmp_path / "shop", runs="notebooks", on_failure=command)
    wb, runs, lines = reading(shop, server, {"mail": ["ann@example.com"]}), [], []
    schedule.tick(wb, lines.append)
    assert lines == ["report of run 20260100-000000-000: delivered to ann@example.com"]
    assert not told.exists()
    runs.append(1)
    server.refused = {"ann@example.com": "550 5.1.1 no such user"}
    with pytest.raises(report.ReportError, match="rejected: ann@example.com"):
        schedule.tick(wb, lines.append)
    assert "550 5.1.1 no such user" in json.loads(told.read_text())["sentence"]
    assert [run.status for run in schedule.status(wb).runs] == ["success", "success"]


@pytest.mark.slow
def test_the_chain_runs_on_time_and_its_record_names_no_reader(
    outputs: Path, tmp_path: Path, server: SmtpServer
) -> None:
    wb = reading(scheduled_shop(tmp_path / "shop", runs="notebooks"), server, {"mail": ["ann@example.com"]}, keep=1)
    changed = {row.table for row in schedule.tick(wb)}
    assert "derived.customer_decile" in changed
    (first,) = schedule.status(wb).runs
    assert (first.status, first.new_batches) == ("success", 1)
    assert [str(mail["To"]) for mail in server.messages] == ["ann@example.com"]
    (folder,) = (wb.folder / "runs").iterdir()
    assert "ann@example.com" not in "".join(file.read_text() for file in folder.iterdir())
