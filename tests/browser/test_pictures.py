"""The README's pictures are those of the commit: taken anew, they are like the ones in docs/."""

from __future__ import annotations

from pathlib import Path

import pytest
from pictures import ALIKE, PICTURES, apart, take_pictures

from clv_helpers.config.workbook import ROOT
from lab import browser

DOCS = ROOT / "docs"
CARDS = [
    ("report", (598, 149, 258, 153, "")),  # a key figure
    ("report", (54, 324, 930, 54, "")),  # a finding
    ("dashboard", (125, 355, 400, 130, "")),  # a key figure
    ("dashboard", (770, 950, 620, 260, "")),  # a line with its dates
    ("composer", (321, 604, 305, 192, "")),  # a suggestion
    ("composer", (842, 811, 414, 303, "")),  # a form
]
ANOTHER_DAY = (300, 176, 560, 20, "as of 1 January 2026, tables published 8 September 2027, 23:59 UTC (12 min ago)")


def test_one_card_without_its_content_is_seen_and_another_day_is_not(chromium: str) -> None:
    with browser(chromium) as started:
        page = started.new_page()
        for name, card in CARDS:
            assert apart(page, DOCS / f"{name}.png", DOCS / f"{name}.png", (card,)) > 1.5 * ALIKE, (name, card)
        assert 0 < apart(page, DOCS / "dashboard.png", DOCS / "dashboard.png", (ANOTHER_DAY,)) < ALIKE
        assert apart(page, DOCS / "dashboard.png", DOCS / "report.png") == 255  # of other size


@pytest.mark.slow
def test_the_readmes_pictures_are_those_of_this_commit(chromium: str, outputs: Path, tmp_path: Path) -> None:
    take_pictures(chromium, tmp_path)
    with browser(chromium) as started:
        page = started.new_page()
        found = {name: apart(page, DOCS / f"{name}.png", tmp_path / f"{name}.png") for name in PICTURES}
    assert max(found.values()) <= ALIKE, f"{found}; what changed is meant to: make pictures, and look at each"
