"""What happened beside what a chart shows: campaigns, marked along its axis of time."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from clv_helpers.charts.spec import Widget
from clv_helpers.charts.texts import kind
from clv_helpers.charts.theme import INK, QUIET
from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.session import Session

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

LAYER = "events"  # by this name a page leaves out what is written of them where there is no room
CLOSEST = 1 / 28  # of the time shown, between two that bear their names
SENT = "insights.fact_campaign_send"
CAMPAIGNS = """
SELECT campaign, MIN(sent_on) AS sent_on
FROM insights.fact_campaign_send
GROUP BY campaign
HAVING COUNT(DISTINCT customer_id) >= $min_cell
ORDER BY sent_on, campaign
"""

_sent: weakref.WeakKeyDictionary[Session, dict[int, pd.DataFrame]] = weakref.WeakKeyDictionary()


def read_events(session: Session, workbook: Workbook, widget: Widget, rows: pd.DataFrame) -> pd.DataFrame | None:
    """One row: a campaign within the time that the rows show, and whether its name has room; None where there is none.

    A campaign to fewer people than `min_cell` is not told.
    """
    import pandas as pd

    if not widget.events or rows.empty or kind(rows, widget.needed("x")) != "temporal" or not session.has_table(SENT):
        return None
    found = _campaigns(session, workbook.params.min_cell)
    times, sent = rows[widget.needed("x").column], pd.to_datetime(found["sent_on"])
    found = found.assign(sent_on=sent)[sent.between(times.min(), times.max())]
    return _with_named(found, CLOSEST * (times.max() - times.min())) if len(found) else None


def _campaigns(session: Session, min_cell: int) -> pd.DataFrame:
    """All campaigns to enough people: asked for once, as a board draws a chart for each choice of its filters."""
    known = _sent.setdefault(session, {})
    if min_cell not in known:
        known[min_cell] = session.frame(CAMPAIGNS, min_cell=min_cell)
    return known[min_cell]


def _with_named(found: pd.DataFrame, apart: pd.Timedelta) -> pd.DataFrame:
    named, last = [], None
    for sent in found["sent_on"]:
        named.append(last is None or sent - last >= apart)
        last = sent if named[-1] else last
    return found.assign(named=named).reset_index(drop=True)


def layers(alt_: Any, found: pd.DataFrame) -> list[alt.LayerChart]:
    """A dotted line per campaign, and above the plot its name."""
    x = alt_.X(field="sent_on", type="temporal", title=None)
    told = [alt_.Tooltip(field="campaign", type="nominal", title="Campaign")]
    told.append(alt_.Tooltip(field="sent_on", type="temporal", title="First sent", format="%d %b %Y"))
    base = alt_.Chart(found)
    lines = base.mark_rule(color=QUIET, strokeDash=[2, 3], strokeWidth=1).encode(x=x, tooltip=told)
    names = base.transform_filter("datum.named").mark_text(align="left", angle=318, fontSize=10, color=INK, dx=3, dy=-3)
    names = names.encode(x=x, y=alt_.value(0), text="campaign:N", tooltip=told)
    return [lines.properties(name=f"{LAYER}_lines"), names.properties(name=f"{LAYER}_names")]
