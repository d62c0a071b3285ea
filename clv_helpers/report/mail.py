"""The report as a mail: key figures, findings and up to three charts as still pictures; the file attached or linked."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Any

from clv_helpers.config.workbook import Workbook
from clv_helpers.report.content import Content, ReportError
from clv_helpers.report.decision import decision_page
from clv_helpers.report.last_look import LastLook
from clv_helpers.report.run_record import RunRecord

HERE = Path(__file__).parent
MOST_CHARTS = 3
SCALE = 2.0  # pixels of a picture for one of the chart: sharp on a phone


@dataclass(frozen=True)
class Letter:
    """What all readers with the same filter get: subject, both texts, pictures by name, and the file, if attached."""

    subject: str
    text: str
    html: str
    pictures: dict[str, bytes] = field(default_factory=dict)
    file: Path | None = None
    file_name: str = ""


def letter(
    workbook: Workbook,
    record: RunRecord,
    content: Content,
    *,
    wanted: dict[str, str],
    file: Path,
    file_name: str,
    link: str,
) -> Letter:
    """The mail on a report. `content`: as it is opened with `wanted`; with a `link` the file is not attached.

    Raises ReportError where a customer would be in it. Cost: a pass over each identity column of the lake.
    """
    page = decision_page(record, content)
    charts = ([] if wanted else page.charts[:MOST_CHARTS]) or _charts(content, wanted)
    told = {
        "title": record.params["title"],
        "day": f"as of {record.day}",
        "page": page,
        "charts": charts,
        "wanted": ", ".join(f"{label}: {choice}" for label, choice in wanted.items()),
        "link": link,
        "file_name": file_name,
        "record": record,
    }
    html, text = _filled("mail.html.j2", told), _filled("mail.txt.j2", told)
    subject = f"{told['title']} · {told['day']}" + (f" · {told['wanted']}" if wanted else "")
    _refuse_customers(workbook, [subject, text], html, charts)
    pictures = {f"chart{number}": _png(chart) for number, chart in enumerate(charts, 1)}
    return Letter(subject, text, html, pictures, None if link else file, file_name)


def message(letter: Letter, run: str, sender: str, to: str) -> EmailMessage:
    """The letter to one reader. The same run and reader give the same id, by which a receiver knows a repetition."""
    made = EmailMessage(SMTP if to.isascii() else SMTPUTF8)
    domain = parseaddr(sender)[1].rpartition("@")[2]
    made["From"], made["To"], made["Subject"] = sender, to, " ".join(letter.subject.split())
    made["Date"] = format_datetime(dt.datetime.now(dt.UTC))
    made["Message-ID"] = f"<{hashlib.sha256(f'{run}|{to.lower()}'.encode()).hexdigest()[:32]}@{domain}>"
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(letter.text, cte="quoted-printable")
    made.add_alternative(letter.html, subtype="html", cte="quoted-printable")
    *_, page = made.iter_parts()
    for name, picture in letter.pictures.items():
        page.add_related(picture, "image", "png", cid=f"<{name}>", disposition="inline", filename=f"{name}.png")
    if letter.file:
        made.add_attachment(
            letter.file.read_bytes(), "text", "html", filename=letter.file_name, params={"charset": "utf-8"}
        )
    return made


def _charts(content: Content, wanted: dict[str, str]) -> list[dict[str, Any]]:
    """The first charts of the boards that are more than a figure, with a filter, of those that follow it."""
    found = [
        chart
        for section in content.sections
        for block in section.blocks
        for chart in block.charts
        if block.title and _is_drawn(chart) and (not wanted or _follows(chart, block.filters, wanted))
        if _has_rows(chart)
    ]
    return found[:MOST_CHARTS]


def _is_drawn(chart: dict[str, Any]) -> bool:
    mark = chart["spec"].get("mark", "") if chart["spec"] else "text"
    return (mark["type"] if isinstance(mark, dict) else mark) != "text"  # a figure, or a table


def _has_rows(chart: dict[str, Any]) -> bool:
    """Whether something is in the picture: of a small group there may be nothing to show."""
    rows: list[dict[str, Any]] = max(chart["spec"].get("datasets", {}).values(), key=len, default=[])
    return any("choice" not in row or row["choice"] == chart["choices"]["first"] for row in rows)


def _follows(chart: dict[str, Any], filters: list[dict[str, Any]], wanted: dict[str, str]) -> bool:
    labels = {label.casefold() for label in wanted}
    followed = chart["choices"]["filters"] if chart["choices"] else []
    return any(filters[place]["label"].casefold() in labels for place, _ in followed)


def _filled(name: str, told: dict[str, Any]) -> str:
    import jinja2

    environment = jinja2.Environment(
        autoescape=name.endswith(".html.j2"), trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.from_string((HERE / name).read_text(encoding="utf-8")).render(told)


def _png(chart: dict[str, Any]) -> bytes:
    import vl_convert

    return vl_convert.vegalite_to_png({**chart["spec"], "background": "white"}, scale=SCALE)


def _refuse_customers(workbook: Workbook, texts: list[str], html: str, charts: list[dict[str, Any]]) -> None:
    """Raise ReportError where a text of the mail, or what a picture is drawn from, shows a customer."""
    look = LastLook(workbook)
    place = look.shown("\n".join(texts))
    place.html(html)
    for chart in charts:
        place.json(chart["spec"])
    for _, what in look.find(place):
        raise ReportError(f"the mail shows {what}, and a report names nobody: show aggregates there, then run again")
