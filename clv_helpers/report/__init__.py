"""The shared report: one self-contained HTML file from a run, or a PDF of it; what changed; who gets it."""

from clv_helpers.report.content import ReportError
from clv_helpers.report.delivery import Delivered, deliver
from clv_helpers.report.printing import to_pdf
from clv_helpers.report.writing import write

__all__ = ["Delivered", "ReportError", "deliver", "to_pdf", "write"]
