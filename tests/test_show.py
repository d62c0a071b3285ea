"""What is shown is the text that was given, never markup of it."""

from __future__ import annotations

import html
import re

import pandas as pd
import pytest

from clv_helpers.charts import CHART_MIME, show
from clv_helpers.report.content import Content, Section, _add_output, _without_style


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


PEOPLE = [
    {"tier": name, "members": count, "spend": 10.0 * count}
    for name, count in zip("abcd", (4, 62, 1868, 0), strict=True)
]
TIERS = {"tier": "Tier", "members": "Members|,.0f", "spend": "Spend|,.1f"}


def rows_of(shown: show.Output) -> list[list[str]]:
    lines = re.findall(r"<tr>(.*?)</tr>", shown.bundle["text/html"])[1:]
    return [[html.unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", line)] for line in lines]


def test_a_table_says_whom_it_is_about() -> None:
    with pytest.raises(TypeError, match="people"):
        show.table(PEOPLE, TIERS)
    with pytest.raises(ValueError, match="min_cell"):
        show.table(PEOPLE, TIERS, people="members")
    with pytest.raises(ValueError, match="counts the people of spend"):
        show.table(PEOPLE, TIERS, people={"members": "members"}, min_cell=11)


def test_few_people_have_no_number_and_are_not_what_is_missing_of_the_sum() -> None:
    rows = rows_of(show.table(PEOPLE, TIERS, people="members", min_cell=11))
    assert rows == [["a", "<11", "<11"], ["b", "–", "–"], ["c", "1,870", "18,700.0"], ["d", "0", "0.0"]]


def test_few_people_who_are_enough_together_hide_no_others() -> None:
    rows = [{**row, "members": 7} if row["tier"] == "b" else row for row in PEOPLE]
    assert [row[1] for row in rows_of(show.table(rows, TIERS, people="members", min_cell=11))] == [
        "<11", "<11", "1,870", "0",
    ]  # fmt: skip


def test_counts_side_by_side_are_judged_each_for_itself() -> None:
    columns, people = {"sent": "Sent|,.0f", "opened": "Opened|,.0f"}, {"sent": "sent", "opened": "opened"}
    rows = [{"sent": 1868, "opened": 4}, {"sent": 62, "opened": None}]
    assert rows_of(show.table(rows, columns, people=people, min_cell=11)) == [["1,870", "<11"], ["60", "–"]]


def test_a_folded_table_hides_what_it_hid() -> None:
    folded = show.folded(show.table(PEOPLE, TIERS, people="members", min_cell=11), "more")
    assert "&lt;11" in folded.bundle["text/html"]
    assert ">4<" not in folded.bundle["text/html"]


def test_a_key_is_no_measure() -> None:
    rows = [{"decile": decile, "members": 12} for decile in range(1, 11)]
    shown = show.table(rows, decile="Decile|>", people="members", min_cell=11)
    assert [row[0] for row in rows_of(shown)] == [str(decile) for decile in range(1, 11)]


def test_a_count_that_nobody_knows_stands_as_missing() -> None:
    """As of a file that failed before its rows were counted."""
    rows = pd.DataFrame({"reason": ["known", "unknown"], "events": pd.array([300, None], dtype="Int64")})
    shown = show.table(rows, reason="What", events="Rows|,.0f", people={"events": "events"}, min_cell=11)
    assert ["300" in shown.bundle["text/html"], f">{show.MISSING}<" in shown.bundle["text/html"]] == [True, True]


def test_a_table_has_its_style_in_a_notebook_and_none_of_it_in_the_report() -> None:
    rows = [{"tier": "a", "members": 40}]
    shown = show.table(rows, tier="Tier", members="Members|,.0f", people="members", min_cell=11)
    assert shown.bundle["text/html"].startswith("<style>")
    assert _without_style(shown.bundle).startswith('<table class="dataframe clv-table')


def test_a_notebook_has_a_chart_s_texts_on_lines_and_the_report_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    displayed: list[dict] = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: displayed.append(bundle))
    long = "Who comes back late, and how much of what is to come hangs on them, by decile of what they will bring"
    title = {"text": "Short", "subtitle": long}
    show.Output({CHART_MIME: {"title": title, "usermeta": {"width": "half"}}})._ipython_display_()
    lines = displayed[0][CHART_MIME]["title"]
    assert lines["text"] == ["Short"]
    assert len(lines["subtitle"]) == 2
    content = Content()
    section = Section(1, "Stage 1")
    _add_output(section, displayed[0], content)
    assert [(chart["title"], chart["subtitle"]) for chart in section.blocks[0].charts] == [("Short", long)]
