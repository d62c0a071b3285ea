"""The report written: one HTML file, live charts over still pictures, all inlined."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from clv_helpers import progress
from clv_helpers.charts.theme import filled
from clv_helpers.charts.vega import still, vega_bundle
from clv_helpers.config.workbook import Workbook
from clv_helpers.files import owner_only, write_atomically
from clv_helpers.report.compare import changes
from clv_helpers.report.content import ReportError, collect
from clv_helpers.report.decision import decision_page
from clv_helpers.report.last_look import LastLook
from clv_helpers.report.opened import opened, suffix
from clv_helpers.report.run_record import RunRecord

HERE = Path(__file__).parent
BOARD = HERE.parent / "dashboards"
PIECES = re.compile(r'(?=<section id=|<figure class=|<div class="block|<footer>)')
PARTS = {"decision": "the first page", "changed": "what changed"}  # else a stage or a board, by number or name


def write(
    workbook: Workbook,
    record: RunRecord,
    folder: Path,
    since: tuple[RunRecord, Path] | None = None,
    wanted: dict[str, str] | None = None,
) -> Path:
    """Write report.html from the run's executed notebooks; with `since`, what changed from that run stands first, in a
    file of its own (report_since_<run>.html); with `wanted` (a filter's label → its choice), opened with these, in a
    file of its own too. Gives its path.

    Raises ReportError if a customer would be in it; then no such file is left. Cost: beside the drawing, a pass over
    each identity column of the lake.

    Example (a run's record and folder come from `clv_helpers.report.run_record.find`):
        report.write(wb, record, folder)
    """
    import jinja2

    progress.step("drawing the report")
    content = opened(collect(record, folder), wanted or {})
    changed = changes(since[0], collect(*since), record, content) if since else None
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"picture": _picture, "as_json": _as_json, "in_rows": _in_rows}
    template = environment.from_string((HERE / "report.html.j2").read_text(encoding="utf-8"))
    ours = {
        "vega": vega_bundle().replace("</script", "<\\/script"),
        "script": "".join((BOARD / name).read_text(encoding="utf-8") for name in ("board.js", "static_board.js")),
        "style": (BOARD / "board.css").read_text(encoding="utf-8"),
        "print_style": (HERE / "print.css").read_text(encoding="utf-8"),
    }
    page = decision_page(record, content)
    body = template.render(record=record, page=page, content=content, changed=changed, **ours)
    file = folder / (f"report_since_{since[0].run}.html" if since else f"report{suffix(wanted or {})}.html")
    progress.step("searching the report for customers")
    try:
        _refuse_customers(workbook, body, list(ours.values()))
    except ReportError:
        file.unlink(missing_ok=True)
        raise
    write_atomically(file, body)
    owner_only(workbook.folder)
    return file


def _refuse_customers(workbook: Workbook, page: str, ours: list[str]) -> None:
    """Raise ReportError for the first place of a finished page that shows a customer; `ours` is the same in each."""
    for constant in ours:
        page = page.replace(constant, "")
    look = LastLook(workbook)
    pieces = PIECES.split(page)
    places = [look.shown() for _ in pieces]
    for place, piece in zip(places, pieces, strict=True):
        place.html(piece)
    for position, what in look.find(*places):
        raise ReportError(
            f"{_place(pieces[: position + 1])} shows {what}, and a report names nobody: "
            "show aggregates there, then run the stage again"
        )


def _place(pieces: list[str]) -> str:
    """Where the last of these pieces of a page stands, by number: its title may name the customer."""
    begins = [index for index, piece in enumerate(pieces) if piece.startswith("<section")]
    if not begins or pieces[-1].startswith("<footer"):
        return "the top or the foot of the report (title, the run)"
    section = re.search(r'id="([\w-]+)"', pieces[begins[-1]])
    name = section[1].replace("-", " ", 1) if section else "?"
    number = len(pieces) - 1 - begins[-1]
    where = f"piece {number} (chart, table or text)" if number else "its heading or texts"
    return f"{PARTS.get(name, name)}, {where}"


def _in_rows(charts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Charts side by side, without a hole beside the last."""
    widths = filled([chart["width"] for chart in charts])
    return [{**chart, "width": width} for chart, width in zip(charts, widths, strict=True)]


def _picture(chart: dict[str, Any]) -> str:
    """A chart as it stands where scripts are blocked; the drawing takes the width it is given."""
    return chart.get("still") or (still(chart["spec"]) if chart["spec"] else chart["html"])


def _as_json(chart: dict[str, Any]) -> str:
    """A chart for the script; "<" never stands in its element, so that no data can end it."""
    told = {key: value for key, value in chart.items() if key != "still"}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
