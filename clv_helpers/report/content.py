"""The content of a report, collected from a run's executed notebooks: texts, metrics, charts, boards and tables."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clv_helpers.charts import CHART_MIME
from clv_helpers.charts.show import BOARD_MIME, CLOSING_MIME, FINDING_MIME, LISTS_MIME, METRICS_MIME, TABLE_MIME
from clv_helpers.charts.vega import STILL_MIME, untitled
from clv_helpers.errors import UserError
from clv_helpers.report.run_record import RunRecord

STILLS = re.compile(r"<figure>.*?</p>(.*?)</figure>", re.DOTALL)  # of a board, as dashboards.static_board writes them


class ReportError(UserError):
    """A report that must not be written."""


@dataclass
class Block:
    """One piece of a section: `text` and `table` hold HTML; `charts` stand side by side, a board's with its filters.

    A chart is what the script needs to make it live: title, subtitle, width, and a spec or the HTML of a table. `still`
    is its picture, as its notebook has it.
    """

    kind: str
    html: str = ""
    title: str = ""
    anchor: str = ""
    charts: list[dict[str, Any]] = field(default_factory=list)
    filters: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_board(self) -> bool:
        """Whether it is a board; others stand in the annex."""
        return self.kind == "charts" and bool(self.title)


@dataclass
class Section:
    """One stage: what its notebook says and shows, and the headings in it: (anchor, text)."""

    stage: int
    title: str
    blocks: list[Block] = field(default_factory=list)
    headings: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Finding:
    """A sentence computed from the data; what its parts mean stands at `charts.show.finding`.

    `charts`: the one that its cell draws of it, if any.
    """

    text: str
    brief: str = ""
    topic: str = ""
    stake: float = 0.0
    board: str = ""
    warning: bool = False
    anchor: str = ""
    charts: list[dict[str, Any]] = field(default_factory=list)

    @property
    def told(self) -> str:
        """The sentence that stands on the first page."""
        return self.brief or self.text

    @property
    def key(self) -> str:
        """What it is about: its topic, or its words without their numbers."""
        return self.topic or re.sub(r"[\d.,%–-]+", "", self.text)


@dataclass
class Content:
    """All that the report shows."""

    sections: list[Section] = field(default_factory=list)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    lists: list[dict[str, str]] = field(default_factory=list)

    @property
    def boards(self) -> list[Block]:
        """The boards of all stages, in their order."""
        return [block for section in self.sections for block in section.blocks if block.is_board]


def collect(record: RunRecord, folder: Path) -> Content:
    """Read a run's notebooks."""
    content = Content()
    for entry in record.stages:
        file = folder / f"{entry.notebook}.ipynb"
        if file.exists():
            content.sections.append(_section(json.loads(file.read_text("utf-8")), entry.stage, content))
    return content


def _section(notebook: dict[str, Any], stage: int, content: Content) -> Section:
    section = Section(stage, f"Stage {stage}")
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            heading = re.match(r"# (.+)\n*", source)
            if heading:
                section.title = heading[1].partition("· ")[2] or heading[1]
                source = source[heading.end() :]
            if source:
                section.blocks.append(Block("text", html=_markdown(source, section)))
        before = len(content.findings)
        for output in cell.get("outputs", []):
            _add_output(section, output.get("data", {}), content)
            _give_chart(section, output.get("data", {}), content.findings[before:])
    return section


def _give_chart(section: Section, data: dict[str, Any], of_cell: list[Finding]) -> None:
    """A chart is of the findings that stand before it in its cell and have none yet."""
    if CHART_MIME in data:
        for found in of_cell:
            found.charts = found.charts or section.blocks[-1].charts[-1:]


def _add_output(section: Section, data: dict[str, Any], content: Content) -> None:
    if CLOSING_MIME in data:
        return
    if METRICS_MIME in data:
        content.metrics += data[METRICS_MIME]
    elif FINDING_MIME in data:
        content.findings.append(_finding(data[FINDING_MIME], f"finding-{len(content.findings) + 1}"))
        html = _without_style(data)
        section.blocks.append(Block("text", html=html, anchor=content.findings[-1].anchor))
    elif BOARD_MIME in data:
        section.blocks.append(_board(data))
    elif CHART_MIME in data:
        if not section.blocks or section.blocks[-1].kind != "charts" or section.blocks[-1].title:
            section.blocks.append(Block("charts"))
        spec = dict(data[CHART_MIME])
        title, meta = spec.pop("title"), spec.pop("usermeta")
        texts = {"title": _joined(title["text"]), "subtitle": _joined(title.get("subtitle", ""))}
        drawn = {"still": untitled("".join(data[STILL_MIME]))} if STILL_MIME in data else {}
        section.blocks[-1].charts.append({**texts, **meta, "choices": None, "spec": spec, **drawn})
    elif TABLE_MIME in data:
        content.lists += data.get(LISTS_MIME, [])
        section.blocks.append(Block("table", html=_without_style(data)))
    elif "text/html" in data:
        body = _without_style(data)
        section.blocks.append(Block("table" if "<table" in body else "text", html=body))


def _joined(text: str | list[str]) -> str:
    """A text that a notebook has on lines."""
    return text if isinstance(text, str) else " ".join(text)


def _without_style(data: dict[str, Any]) -> str:
    """What a notebook shows as HTML, without the style that only a notebook needs."""
    return re.sub(r"<style.*?</style>", "", "".join(data["text/html"]), flags=re.DOTALL)


def _finding(told: Any, anchor: str) -> Finding:
    """A finding as its notebook holds it; of an earlier version, its text alone."""
    return Finding(**told, anchor=anchor) if isinstance(told, dict) else Finding("".join(told), anchor=anchor)


def _board(data: dict[str, Any]) -> Block:
    board, cards = data[BOARD_MIME], data[BOARD_MIME]["cards"]
    stills = STILLS.findall("".join(data.get("text/html", "")))
    if len(stills) == len(cards):
        cards = [{**card, "still": drawn} for card, drawn in zip(cards, stills, strict=True)]
    return Block("charts", board["description"], board["title"], f"board-{board['name']}", cards, board["filters"])


def _markdown(source: str, section: Section) -> str:
    """Headings one level down, below the stage's own, each with an anchor for the table of contents."""
    from nbconvert.filters.markdown_mistune import markdown2html_mistune

    def lowered(match: re.Match[str]) -> str:
        level, text = int(match[1]) + 1, re.sub(r"<[^>]+>", "", match[2])
        anchor = f"s{section.stage}-{re.sub(r'[^a-z0-9]+', '-', text.lower()).strip('-')}"
        if level == 3:
            section.headings.append((anchor, text))
        return f'<h{level} id="{anchor}">{text}</h{level}>'

    body = re.sub(r'<a class="anchor-link"[^>]*>.*?</a>', "", markdown2html_mistune(source))
    return re.sub(r"<h([2-4])[^>]*>(.*?)</h\1>", lowered, body, flags=re.DOTALL)
