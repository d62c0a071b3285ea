"""The report as a PDF, printed by the Chromium of this machine."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from clv_helpers.report.content import ReportError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def to_pdf(report: Path, seconds: int = 120) -> Path:
    """Print a report to a PDF beside it. Raises ReportError where there is no Chromium, or it does not succeed."""
    chromium = next((found for name in NAMES if (found := shutil.which(name))), None)
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
