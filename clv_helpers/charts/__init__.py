"""One way from a widget's description to a picture: rows aggregated by the engine, titles that state what they say."""

from clv_helpers.charts.drawing import Picture, draw, picture, sql_of
from clv_helpers.charts.rows import MAX_ROWS
from clv_helpers.charts.spec import AXES, MARKS, Channel, ChartError, NotMade, Scalar, Widget
from clv_helpers.charts.theme import CHART_MIME, PALETTE, QUIET

__all__ = [
    "AXES", "CHART_MIME", "MARKS", "MAX_ROWS", "PALETTE", "QUIET", "Channel", "ChartError", "NotMade", "Picture",
    "Scalar", "Widget", "draw", "picture", "sql_of",
]  # fmt: skip
