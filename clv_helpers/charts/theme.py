"""Colours, type and sizes of every chart, on paper and on screen, light and dark."""

from __future__ import annotations

from typing import Any

# JupyterLab's own Vega renderer answers to this type without the network; report.py reads the same one.
CHART_MIME = "application/vnd.vegalite.v5+json"
# After Okabe & Ito, darkened so that each stands out from white and from the dark ground (3 : 1, WCAG 1.4.11), and
# any two are told apart with each kind of colour blindness. Blue leads, grey stands back.
PALETTE = ["#0072B2", "#CF7F00", "#008A63", "#C06AA6", "#B93E00", "#4A9CCB", "#78727A"]
QUIET = "#7595AB"
RAMP = ["#DEEBF7", "#08306B"]
WHITE_BELOW = 0.179  # the luminance at which white and black stand out alike, 4.58 : 1
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
INK = "#404040"
WIDTHS = {"third": 270, "half": 420, "two thirds": 570, "full": 900}  # pixels, where the page does not say otherwise
SPANS = {"third": 4, "half": 6, "two thirds": 8, "full": 12}  # columns of a row's twelve, as board.css has them
HEIGHT = 300
CONFIG: dict[str, Any] = {
    "font": FONT,
    "background": "transparent",
    "view": {"stroke": None},
    "title": {"anchor": "start", "fontSize": 15, "subtitleFontSize": 12, "subtitleColor": "#595959", "offset": 12},
    "axis": {
        "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "titleColor": INK,
        "labelColor": INK, "gridColor": "#E6E6E6", "domain": False, "ticks": False, "labelPadding": 6,
        "titlePadding": 9,  # else it reads as one more line of a label
        "labelFlush": False,  # else the last label is pulled inward, and steps look uneven
    },
    "legend": {
        "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "orient": "top",
        "labelColor": INK, "titleColor": INK,
    },
    "range": {"category": PALETTE, "heatmap": RAMP, "ramp": RAMP},
}  # fmt: skip


def filled(widths: list[str]) -> list[str]:
    """The widths of cards in their order, where a half one that would stand alone in its row takes all of it.

    Example:
        >>> filled(["half", "full", "third", "half", "half", "half"])
        ['full', 'full', 'third', 'half', 'half', 'half']
    """
    rows: list[list[int]] = [[]]
    for index, width in enumerate(widths):
        if sum(SPANS[widths[other]] for other in rows[-1]) + SPANS[width] > SPANS["full"]:
            rows.append([])
        rows[-1].append(index)
    alone = {row[0] for row in rows if len(row) == 1 and widths[row[0]] == "half"}
    return ["full" if index in alone else width for index, width in enumerate(widths)]
