"""One way from a widget's description to a picture: rows aggregated by the engine, titles that state what they say."""

from clv_helpers.charts.drawing import Picture, draw, picture, sql_of
from clv_helpers.charts.errors import ChartError, NotMade
from clv_helpers.charts.rows import MAX_ROWS
from clv_helpers.charts.spec import MARKS, Channel, Scalar, Widget
from clv_helpers.charts.theme import CHART_MIME, PALETTE, QUIET

__all__ = [
    "CHART_MIME", "MARKS", "MAX_ROWS", "PALETTE", "QUIET", "Channel", "ChartError", "NotMade", "Picture", "Scalar",
    "Widget", "draw", "picture", "sql_of",
]  # fmt: skip
