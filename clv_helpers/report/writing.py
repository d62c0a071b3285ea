"""The report written: one HTML file, live charts over still pictures, all inlined; and printed to a PDF by Chromium."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from clv_helpers.charts.vega import vega_bundle
from clv_helpers.files import write_atomically
from clv_helpers.report.compare import changes
from clv_helpers.report.content import ReportError, collect
from clv_helpers.report.run_record import RunRecord

HERE = Path(__file__).parent
BOARD = HERE.parent / "dashboards"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


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
    environment.filters |= {"picture": _picture, "as_json": _as_json}
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


def _picture(chart: dict[str, Any]) -> str:
    """A chart as it stands where scripts are blocked; the drawing takes the width it is given."""
    import vl_convert

    return vl_convert.vegalite_to_svg(chart["spec"]) if chart["spec"] else chart["html"]


def _as_json(chart: dict[str, Any]) -> str:
    """A chart for the script; "<" never stands in its element, so that no data can end it."""
    return json.dumps(chart, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def to_pdf(report: Path, seconds: int = 120) -> Path:
    """Print a report to a PDF beside it. Raises ReportError where there is no Chromium, or it does not succeed."""
    chromium = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    if chromium is None:
        raise ReportError("a PDF is printed by Chromium, and there is none on this machine; the HTML prints as well")
    target = report.with_suffix(".pdf")
    beside = target.with_suffix(".part.pdf")
    with tempfile.TemporaryDirectory() as profile:
        command = [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--no-first-run", f"--user-data-dir={profile}",
            "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=20000", "--no-pdf-header-footer",
            f"--print-to-pdf={beside}", report.as_uri(),
        ]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
        except subprocess.TimeoutExpired:
            raise ReportError(f"Chromium did not print {report.name} within {seconds} s") from None
    if done.returncode or not beside.exists():
        raise ReportError(f"Chromium could not print {report.name}: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    beside.replace(target)
    return target
