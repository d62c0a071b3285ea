"""Each chart as it is painted, wide and narrow, light, dark and on paper: nothing cut, nothing over another text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page

from clv_helpers import dashboards
from clv_helpers.charts import CHART_MIME, Picture, Widget
from clv_helpers.charts.vega import vega_bundle
from clv_helpers.config.workbook import Workbook
from clv_helpers.dashboards.grid import HERE
from lab import browser

PAGE = """<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width"><style>
body { margin: 20px auto; max-width: 1200px; padding: 0 16px }
@media (prefers-color-scheme: dark) { body { background: #161b22 } }
%s</style><div class="clv-board" id="board">%s</div><script>%s</script><script>%s
clvStatic.enliven(document.getElementById("board")).then(() => { document.body.dataset.ready = "yes"; });</script>"""
FIGURE = """<figure class="clv-card clv-%s"><figcaption><div><h4 class="clv-title">%s</h4><p></p></div></figcaption>
<div class="clv-chart">%s</div><script type="application/json" class="spec">%s</script></figure>"""
SHOWN = ("value", "migration", "audiences", "customers", "campaign_results")
FALLING = [
    {"title": "t", "table": "insights.fact", "mark": "bar", "labels": True, **axes}
    for axes in ({"x": "month", "y": "change"}, {"x": "change", "y": "month"})
]
LONG = "CHOCOLATE HOT WATER BOTTLE WITH POLKADOTS"
ALL_WIDTHS, FEW_WIDTHS = (320, 390, 800, 1280, 1440), (390, 1280)
LOOKS = ({"color_scheme": "light"}, {"color_scheme": "dark"}, {"media": "print"})
# What is wrong with a chart, in words. Texts are boxes of letters, turned ones not looked at; a heat map in the dark
# is inverted as a whole, which keeps its contrasts (tests/test_theme.py).
FAULTS = """() => {
  const luminance = (color) => {
    const [r, g, b] = color.match(/[\\d.]+/g).map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const isOver = (one, other) => Math.min(one.right, other.right) - Math.max(one.left, other.left) > 1
    && Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top) > 4;
  const found = [];
  for (const figure of document.querySelectorAll("figure")) {
    const say = (fault) => found.push(`${figure.querySelector(".clv-title").textContent}: ${fault}`);
    const svg = figure.querySelector(".clv-chart svg");
    if (!svg) continue;
    const plot = svg.querySelector(".role-frame > g > .background")?.getBoundingClientRect();
    if (plot && plot.width < 120 && svg.querySelector(".role-axis")) say(`its plot is ${plot.width} px wide`);
    const boxed = (nodes) => nodes.map((node) => ({ node, box: node.getBoundingClientRect() }));
    const isLevel = (text) => text.textContent.trim() && text.getAttribute("opacity") !== "0"
      && !/rotate/.test(text.getAttribute("transform") || "");
    const texts = boxed([...svg.querySelectorAll("text")].filter(isLevel));
    const right = document.documentElement.clientWidth;
    for (const { node: text, box } of texts) {
      if (box.left < -1 || box.right > right + 1) say(`"${text.textContent}" is cut`);
      if (text.textContent.endsWith("…")) say(`"${text.textContent}" is shortened`);
    }
    texts.forEach((one, i) => texts.slice(i + 1).forEach((other) => {
      if (isOver(one.box, other.box)) say(`"${one.node.textContent}" is over "${other.node.textContent}"`);
    }));
    const bars = boxed([...svg.querySelectorAll("path[aria-roledescription=bar]")]);
    for (const { node: text, box } of texts.filter(({ node }) => node.closest(".role-mark"))) {
      const isInside = text.getAttribute("fill") === "white";
      if (!isInside && bars.some((bar) => isOver(box, bar.box))) say(`"${text.textContent}" is over a bar`);
    }
    const isFilled = ({ fill, fillOpacity }) => /^(#|rgb)/.test(fill) && fillOpacity !== "0";
    const cells = [...svg.querySelectorAll(".mark-rect.role-mark path")];
    const rects = boxed(cells.filter((cell) => isFilled(getComputedStyle(cell))));
    for (const { node: text, box } of texts.filter(({ node }) => node.closest(".role-mark"))) {
      const [x, y] = [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
      const under = rects.findLast(({ box }) => box.left < x && x < box.right && box.top < y && y < box.bottom);
      const [ink, ground] = [text, under?.node].map((node) => node && getComputedStyle(node).fill);
      if (ground && contrast(ink, ground) < 4.5) say(`"${text.textContent}" is faint on its mark`);
    }
  }
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth > clientWidth) found.push(`the page is ${scrollWidth} px wide`);
  return found;
}"""


@pytest.fixture(scope="module")
def boards(airline: Workbook, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("pixels") / "boards.html"
    outputs = [part.bundle for name in SHOWN for part in dashboards.show(airline, name).parts]
    cards = [_card(dict(bundle[CHART_MIME])) for bundle in outputs if CHART_MIME in bundle]
    falling = pd.DataFrame({"month": list("abcdef"), "change": [400, -3, -250, 120, 0, -12], "customers": [50] * 6})
    cards += [Picture(Widget.model_validate(chart), f"Falls on {chart['x']}", "", falling).card for chart in FALLING]
    pairs = pd.DataFrame({"first": [LONG] * 2, "next": [LONG] * 2, **{f"number {n}": [1234.5] * 2 for n in range(6)}})
    table = Widget.model_validate({"title": "t", "sql": "pairs", "mark": "table", "columns": list(pairs)})
    cards.append(Picture(table, "A wide table", "", pairs).card)
    figures = "".join(map(_figure, cards))
    style, *script = ((HERE / name).read_text("utf-8") for name in ("board.css", "board.js", "static_board.js"))
    file.write_text(PAGE % (style, figures, vega_bundle(), "".join(script)), "utf-8")
    return file


def _figure(card: dict[str, Any]) -> str:
    content = json.dumps(card, default=str).replace("</", "<\\/")
    return FIGURE % (card["width"].replace(" ", "-"), card["title"], card["html"], content)


def _card(spec: dict[str, Any]) -> dict[str, Any]:
    title = spec.pop("title")
    return {
        "title": title["text"],
        "subtitle": title.get("subtitle", ""),
        "html": "",
        **spec.pop("usermeta"),
        "spec": spec,
    }


def faults(started: Browser, file: Path, width: int, look: dict[str, Any]) -> list[str]:
    scheme = {name: value for name, value in look.items() if name == "color_scheme"}
    page: Page = started.new_context(viewport={"width": width, "height": 900}, offline=True, **scheme).new_page()
    if "media" in look:
        page.emulate_media(media="print")
    page.goto(file.as_uri())
    page.wait_for_selector("body[data-ready=yes]", timeout=60_000)
    found = page.evaluate(FAULTS)
    page.context.close()
    return [f"{width} px, {next(iter(look.values()))}: {fault}" for fault in found]


def test_every_chart_is_painted_whole_and_read(chromium: str, boards: Path) -> None:
    with browser(chromium) as started:
        assert [fault for width in FEW_WIDTHS for fault in faults(started, boards, width, LOOKS[0])] == []


@pytest.mark.slow
def test_every_chart_is_painted_whole_at_any_width_and_light(chromium: str, boards: Path) -> None:
    with browser(chromium) as started:
        found = [fault for width in ALL_WIDTHS for look in LOOKS for fault in faults(started, boards, width, look)]
    assert found == []
