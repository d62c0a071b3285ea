"""Whether two engines hold the same rows."""

from __future__ import annotations

import pandas as pd

from clv_helpers.engines.session import Session

# When something was done: the clock, and no result.
CLOCK = {
    "lake.batches": ["started_at", "changed_at"],
    "insights.bridge_audience_destination": ["activated_at"],
    "kpi.recently_activated_audiences": ["activated_at"],
}


def same_rows(name: str, key: tuple[str, ...], left: Session, right: Session) -> int:
    """Fail unless both have the same rows of a table; gives how many."""
    frames = [session.frame(f"SELECT * FROM {name}").drop(columns=CLOCK.get(name, [])) for session in (left, right)]
    return compared(name, key, *frames)


def compared(name: str, key: tuple[str, ...], left: pd.DataFrame, right: pd.DataFrame) -> int:
    """Fail unless both frames have the same rows, floats to 1e-9; gives how many."""
    frames = [frame.sort_values(list(key)).reset_index(drop=True) for frame in (left, right)]
    assert list(frames[0].columns) == list(frames[1].columns), name
    pd.testing.assert_frame_equal(*frames, obj=name, check_dtype=False, rtol=1e-9, atol=1e-9)
    return len(frames[0])
