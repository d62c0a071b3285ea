"""Whether two engines hold the same rows."""

from __future__ import annotations

import pandas as pd

from clv_helpers.engines.session import Session

# When something was done: the clock, and no result. Only of the ledger, as no other table asks it.
CLOCK = {"lake.batches": ["started_at", "changed_at"]}


def same_rows(name: str, key: tuple[str, ...], left: Session, right: Session) -> int:
    """Fail unless both have the same rows of a table, floats to 1e-9; gives how many."""
    frames = [_rows(name, key, session) for session in (left, right)]
    assert list(frames[0].columns) == list(frames[1].columns), name
    pd.testing.assert_frame_equal(*frames, obj=name, check_dtype=False, rtol=1e-9, atol=1e-9)
    return len(frames[0])


def _rows(name: str, key: tuple[str, ...], session: Session) -> pd.DataFrame:
    frame = session.frame(f"SELECT * FROM {name}").drop(columns=CLOCK.get(name, []))
    return frame.sort_values(list(key)).reset_index(drop=True)
