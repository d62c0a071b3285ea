"""The report written as one HTML file: scripts and styles inlined, live charts over still pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from clv_helpers.charts.vega import vega_bundle
from clv_helpers.files import write_atomically
from clv_helpers.report.compare import changes
from clv_helpers.report.content import collect

if TYPE_CHECKING:
    from clv_helpers.report.run_record import RunRecord

HERE = Path(__file__).parent
BOARD = HERE.parent / "dashboards"


def write(record: RunRecord, folder: Path, since: tuple[RunRecord, Path] | None = None) -> Path:
    """Write report.html from the run's executed notebooks; with `since`, what changed from that run stands first, in a
    file of its own (report_since_<run>.html). Gives its path.

    Raises ReportError if an e-mail address would be in it.

    Example (a run's record and folder come from `clv_helpers.report.run_record.find`):
        report.write(record, folder)
    """
    import jinja2

    content = collect(record, folder)
    changed = changes(since[0], collect(*since), record, content) if since else None
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((HERE / "report.html.j2").read_text(encoding="utf-8"))
    body = template.render(
        record=record,
        title=record.params["title"],
        content=content,
        changed=changed,
        vega=vega_bundle().replace("</script", "<\\/script"),
        script=(BOARD / "board.js").read_text(encoding="utf-8"),
        style=(BOARD / "board.css").read_text(encoding="utf-8"),
    )
    file = folder / (f"report_since_{since[0].run}.html" if since else "report.html")
    write_atomically(file, body)
    return file
