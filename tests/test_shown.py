"""What every stage shows, read as its reader does, beside the true tables: no few people, and no rate of them."""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from activations import changed, everyone_in, steps

from clv_helpers import activation, audiences, campaigns, derived, insights, lifetime, simulate
from clv_helpers.audiences.views import summary
from clv_helpers.charts import show
from clv_helpers.charts.show import FINDING_MIME, METRICS_MIME, Output
from clv_helpers.config.workbook import ROOT, Workbook

MIN_CELL = 11
SMALLEST_SHOWN = 10  # eleven, to the nearest five
VIEWS = {
    "derived.metrics": derived.metrics,
    "derived.not_counted": derived.not_counted,
    "derived.identities": derived.identities,
    "derived.deciles": derived.deciles,
    "derived.top_decile": derived.top_decile,
    "lifetime.values": lifetime.values,
    "lifetime.holdout": lifetime.holdout,
    "lifetime.track_record": lifetime.track_record,
    "lifetime.models": lifetime.models,
    "insights.key_figures": insights.key_figures,
    "insights.trend": insights.trend,
    "insights.migration": insights.migration,
    "audiences.sizes": audiences.sizes,
    "activation.waterfall": activation.waterfall,
    "activation.changes": activation.changes,
    "activation.control": activation.control,
    "campaigns.summary": campaigns.summary,
    "campaigns.effects": lambda wb: campaigns.effects(wb, simulate.truth(wb)),
    "campaigns.effect_table": campaigns.effect_table,
    "campaigns.checks": campaigns.checks,
    "campaigns.next_steps": campaigns.next_steps,
    "campaigns.rates": campaigns.rates,
    "campaigns.delivery_funnel": campaigns.delivery_funnel,
    "campaigns.rejected": campaigns.rejected,
}
# Columns of numbers that count no people: what they are named by, or a measure of many.
NOT_OF_PEOPLE = r"Decile.*|Number|Mean .*|Spend per .*|.*EUR.*|From .*|To .*|Value.*|Standard error|Simulated"
NUMBER = r"(?<![\d.,])(\d[\d,]*)(?![\d%]|[.,]\d)"
NOUNS = "more|members|treated|control|identities|messages|rose|fell|are newly|not any|realized|exited"
COUNTED = rf"{NUMBER} (?:of(?! the \d+ true parameters)|{NOUNS})\b"


def parts_of(output: Output) -> list[Output]:
    return list(output.parts or (output,))


def tables(output: Output) -> Iterator[list[dict[str, str]]]:
    """The rows of each table by their headers; a header that stands twice has a number."""
    for part in parts_of(output):
        for body in re.findall(r"<table.*?</table>", part.bundle.get("text/html", ""), re.DOTALL):
            head, *lines = re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
            headers = [f"{html.unescape(text)}|{n}" for n, text in enumerate(re.findall(r"<th[^>]*>(.*?)</th>", head))]
            cells = [[html.unescape(text) for text in re.findall(r"<td[^>]*>(.*?)</td>", line)] for line in lines]
            yield [dict(zip(headers, line, strict=True)) for line in cells]


def sentences(output: Output) -> str:
    """Cards, findings and notes, and the titles of charts, as text."""
    texts = []
    for part in parts_of(output):
        if METRICS_MIME in part.bundle:
            texts += [" ".join(map(str, entry.values())) for entry in part.bundle[METRICS_MIME]]
        elif FINDING_MIME in part.bundle or "<table" not in part.bundle.get("text/html", ""):
            texts.append(part.bundle["text/plain"])
    return "\n".join(texts)


def few_people(output: Output) -> list[str]:
    """Each count of 1 to 9 people that can be read in tables and sentences."""
    found = [
        f"{header}: {cell}"
        for rows in tables(output)
        for row in rows
        for header, cell in row.items()
        if not re.fullmatch(NOT_OF_PEOPLE, header.rpartition("|")[0])
        for number in ([cell] if re.fullmatch(r"\+?\d+", cell) else re.findall(r"\d+(?= / )|(?<= / )\d+$", cell))
        if 0 < int(number) < SMALLEST_SHOWN
    ]
    return found + [
        match[0]
        for match in re.finditer(COUNTED, sentences(output))
        if 0 < int(match[1].replace(",", "")) < SMALLEST_SHOWN
    ]


@pytest.mark.parametrize("name", VIEWS)
def test_no_view_counts_few_people(airline: Workbook, name: str) -> None:
    assert few_people(VIEWS[name](airline)) == []


def test_the_reading_finds_few_people() -> None:
    rows = [{"what": "a", "members": 4, "wide": 7}]
    told = show.stack(
        show.table(rows, what="What", members="Members|,.0f", people=None),
        show.note("4 of 20,000 members"),
        show.note("1,204 of 20,000 members are 4.5%"),
    )
    assert few_people(told) == ["Members|1: 4", "4 of"]


def test_a_rate_of_few_says_that_they_are_few(airline: Workbook) -> None:
    true = airline.query("campaigns.fact_campaign_rate", decile_group="ALL")
    true = {
        (row.campaign, row.audience, row.kpi): (row.numerator, row.denominator)
        for row in true.itertuples()
        if row.denominator == row.denominator
    }
    *_, details = list(tables(campaigns.rates(airline)))
    few = 0
    for row in details:
        campaign, audience, kpi, n, d, share, interval = row.values()
        numerator, denominator = true[campaign, audience, kpi]
        rest = denominator - numerator
        if 0 < numerator < MIN_CELL:
            assert (n, share.partition(" ")[0], interval) == ("<11", "<11", "–")
        elif 0 < rest < MIN_CELL:
            assert share.startswith("all but <11 of ")
            assert interval == "–"
        few += 0 < numerator < MIN_CELL or 0 < rest < MIN_CELL
        assert all(count == "<11" or int(count.replace(",", "")) % 5 == 0 for count in (n, d))
    assert few > 10, "the small airline has rates of few people, or this tests nothing"


def test_conversions_of_few_buyers_say_that_they_are_few(airline: Workbook) -> None:
    true = airline.query("campaigns.fact_effect", measured=True)
    _, conversion, _ = tables(campaigns.effect_table(airline))
    told = {(row["Campaign|0"], row["Audience|1"]): row for row in conversion}
    assert len(true) == len(told) > 0
    for row in true.itertuples():
        shown = told[row.campaign, "everyone" if row.audience == "ALL" else row.audience]
        for buyers, header in (
            (row.treated_buyers, "Bought, treated (n / d)|2"),
            (row.control_buyers, "Bought, control (n / d)|4"),
        ):
            count = shown[header].partition(" / ")[0].replace(",", "")
            assert count == "<11" if 0 < buyers < MIN_CELL else abs(int(count) - buyers) <= 2
            assert f"({buyers:,} of" not in row.sentence or buyers % 5 == 0


def test_the_key_figures_are_the_true_ones_rounded(airline: Workbook) -> None:
    true = airline.query("derived.summary").iloc[0]
    cards = {entry["label"]: entry["value"] for entry in parts_of(derived.metrics(airline))[0].bundle[METRICS_MIME]}
    assert cards["members"] == f"{5 * round(true.customers / 5):,}"
    told = sentences(derived.metrics(airline))
    assert f"{true.purchases:,}" not in told
    shown = int(re.search(rf"{NUMBER} flights on", told)[1].replace(",", ""))
    assert abs(shown - true.purchases) <= true.purchases * 5 / true.customers


def test_the_highest_value_of_all_is_one_customers_and_not_shown(airline: Workbook) -> None:
    (rows,) = tables(derived.deciles(airline))
    assert len(rows) == 10
    assert next(cell for header, cell in rows[0].items() if header.startswith("To (")) == "–"
    assert next(cell for header, cell in rows[-1].items() if header.startswith("From (")) == "–"


def test_what_was_delivered_counts_no_few(workbook: Workbook) -> None:
    assert few_people(activation.done(workbook, activation.activate_planned(workbook))) == []


def test_an_audience_of_four(airline: Workbook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLV_OUTPUTS_DIR", str(airline.engine.lake.parent.parent))
    shutil.copytree(ROOT / "params", tmp_path / "params")
    fifth = airline.query("profile.attribute")["spend"].nlargest(5).iloc[-1]
    (tmp_path / "params" / "airline" / "audiences" / "four.yml").write_text(
        f"title: Four\ndescription: The four best.\nrule: {{field: spend, op: more than, value: {float(fifth)}}}\n"
    )
    workbook = Workbook(tmp_path / "params" / "airline.yml", airline.params)
    assert audiences.count(workbook, "four").count == 4
    told = show.stack(*summary(workbook, "four"))
    assert few_people(told) == []
    assert sentences(told).endswith("<11 of 600 members.")
    (funnel,) = tables(told)
    assert list(funnel[-1].values())[1:] == ["<11", "595"]


def test_an_activation_of_five(workbook: Workbook) -> None:
    everyone_in(workbook, limit=5)
    workbook = changed(workbook)
    activation.decide(workbook)
    assert steps(workbook)["matched"] == 5
    results = [activation.dry_run(workbook, plan) for plan in workbook.params.activations]
    views = [activation.waterfall, activation.changes, activation.control, lambda wb: activation.done(wb, results)]
    for view in views:
        assert few_people(view(workbook)) == []
    assert "&lt;11" in activation.waterfall(workbook).bundle["text/html"]
