"""What is shown is the text that was given, never markup of it."""

from __future__ import annotations

import html
import re

import pytest

from clv_helpers.charts import show


@pytest.mark.parametrize("text", ["a customer's month", "<script>alert(1)</script>", "A & B", "2 < 3"])
def test_table_shows_texts_as_they_are(text: str) -> None:
    body = show.table([{"what": text, "rows": 1}], what="What", rows="Rows|.0f", people=None).bundle["text/html"]
    cells = [html.unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", body)]
    assert cells == [text, "1"]
    assert "<script>" not in body


def test_missing_number_is_a_dash() -> None:
    body = show.table([{"rows": 1}, {"rows": None}], rows="Rows|,.0f", people=None).bundle["text/html"]
    assert re.findall(r"<td[^>]*>(.*?)</td>", body) == ["1", "–"]


def test_several_outputs_are_displayed_one_below_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    displayed: list = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: displayed.append((bundle, raw)))
    first, second = show.note("one"), show.note("two")
    both = show.stack(first, second)
    both._ipython_display_()
    assert displayed == [(first.bundle, True), (second.bundle, True)]
    assert both.bundle["text/plain"] == "one\ntwo"
