"""The report printed to a PDF by Chromium: A4 or letter, with page numbers."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from clv_helpers.config.params import Params
from clv_helpers.config.report import Paper
from clv_helpers.files import owner_only
from clv_helpers.report.content import ReportError

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
WIDTHS: dict[Paper, float] = {"A4": 210.0, "letter": 215.9}  # mm
MARGIN = 14.0  # mm, on either side
PX_PER_MM = 96 / 25.4
LETTER_COUNTRIES = ("USD", "CAD")
PRINT_STYLE = Path(__file__).parent / "print.css"


def paper_of(params: Params) -> Paper:
    """What a workbook's report is printed on: as its params say, else letter where money is in USD or CAD, else A4.

    Example:
        >>> from clv_helpers.report.printing import paper_of
        >>> paper_of(wb.params)  # it counts in euros
        'A4'
    """
    return params.report.paper or ("letter" if params.spending.unit in LETTER_COUNTRIES else "A4")


def to_pdf(report: Path, paper: Paper = "A4", seconds: int = 120) -> Path:
    """Print a report to a PDF beside it. Raises ReportError where there is no Chromium, or it does not succeed."""
    chromium = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    if chromium is None:
        raise ReportError("a PDF is printed by Chromium, and there is none on this machine; the HTML prints as well")
    target = report.with_suffix(".pdf")
    beside = target.with_suffix(".part.pdf")
    width = int((WIDTHS[paper] - 2 * MARGIN) * PX_PER_MM)
    with tempfile.TemporaryDirectory() as profile:
        page = Path(profile) / "report.html"
        page.write_text(on_paper(report.read_text(encoding="utf-8"), paper), encoding="utf-8")
        command = [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--no-first-run", f"--user-data-dir={profile}",
            "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=20000", "--no-pdf-header-footer",
            f"--window-size={width},1200", f"--print-to-pdf={beside}", page.as_uri(),
        ]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
        except subprocess.TimeoutExpired:
            raise ReportError(f"Chromium did not print {report.name} within {seconds} s") from None
    if done.returncode or not beside.exists():
        raise ReportError(f"Chromium could not print {report.name}: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    beside.replace(target)
    owner_only(target.parent)
    return target


def on_paper(page: str, paper: Paper) -> str:
    """A report's page laid out as it is printed, already on the screen: charts are drawn as wide as their place."""
    title = re.search(r"<title>(.*?)</title>", page, re.DOTALL)
    said = _css_string(html.unescape(title[1]) if title else "")
    small = "font: 8pt system-ui, sans-serif; color: #52606d;"
    sheet = (
        f"@page {{ size: {paper}; margin: {MARGIN}mm {MARGIN}mm 16mm;"
        f" @bottom-left {{ content: {said}; {small} }}"
        f' @bottom-right {{ content: counter(page) " / " counter(pages); {small} }} }}'
    )
    style = f"<style>{PRINT_STYLE.read_text(encoding='utf-8')}\n{sheet}</style>"
    return page.replace("</head>", f"{style}\n</head>", 1)


def _css_string(text: str) -> str:
    """A text as a string of CSS, which no letter in it ends."""
    return '"' + "".join(c if c.isalnum() or c == " " else f"\\{ord(c):06x}" for c in text) + '"'
