"""The airline's calendar: moments are days since its first one."""

from __future__ import annotations

import datetime as dt
from typing import Any

FIRST_DAY = dt.date(2023, 1, 1)


def as_date(day: Any) -> Any:
    """Whole days since the first one as dates."""
    import pandas as pd

    return pd.Timestamp(FIRST_DAY) + pd.to_timedelta(day, unit="D")


def as_timestamp(moment: Any) -> Any:
    """Days since the first one, with fractions, as moments to the second."""
    import pandas as pd

    seconds = (moment * 86_400).round().astype("int64")
    return pd.Timestamp(FIRST_DAY) + pd.to_timedelta(seconds, unit="s")
