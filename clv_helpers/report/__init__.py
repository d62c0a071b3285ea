"""The shared report: one self-contained HTML file from a run, or a PDF of it; what changed since another run."""

from clv_helpers.report.compare import changes
from clv_helpers.report.content import ReportError
from clv_helpers.report.html_file import write
from clv_helpers.report.pdf import to_pdf

__all__ = ["ReportError", "changes", "to_pdf", "write"]
