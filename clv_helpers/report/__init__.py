"""The shared report: one self-contained HTML file from a run, or a PDF of it; what changed since another run."""

from clv_helpers.report.content import ReportError
from clv_helpers.report.writing import to_pdf, write

__all__ = ["ReportError", "to_pdf", "write"]
