"""What is odd about an as_of that the params give, beside the data: a sentence each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from clv_helpers.config.workbook import Workbook
from clv_helpers.engines.session import Session

FAR_DAYS = 60  # without a purchase before as_of, from which everybody looks as if they had gone
LAST = """
    SELECT MAX(CASE WHEN occurred_at < $as_of THEN occurred_at END) AS last,
        COUNT(CASE WHEN occurred_at >= $as_of THEN 1 END) AS later
    FROM lake.purchases
"""


def doubts_of_as_of(session: Session, workbook: Workbook) -> Iterator[str]:
    """That as_of lies far behind the last purchase, or before some; nothing where as_of is latest.

    Cost: one pass over the moments of the purchases.
    """
    as_of = workbook.params.as_of
    if not isinstance(as_of, dt.date) or not session.has_table("lake.purchases"):
        return
    last, later = session.rows(LAST, as_of=as_of)[0].values()
    words = workbook.words
    if last is not None and (days := (as_of - last.date()).days) > FAR_DAYS:
        yield (
            f"as_of is {as_of}, {days:,} days after the last {words.purchase} before it ({last.date()}): "
            f"all {words.customers} look as if they had gone; is a file missing? allowed: another day, or latest"
        )
    if later:
        rows = f"{later:,} {words.purchase if later == 1 else words.purchases}"
        left = f"what lies on that day or later does not count ({rows})"
        yield f"as_of is {as_of}, and {left}; allowed: another day, or latest"
