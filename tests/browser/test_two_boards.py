"""Two live boards on one page, each with a Vega of its own: no bar is cut to the height of another board's."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import TimeoutError

from clv_helpers.dashboards.grid import HERE, _script
from lab import browser

# A widget of a notebook is a module of its own, loaded once for each.
PAGE = """<!doctype html><meta charset="utf-8"><style>%s * { pointer-events: all !important; }</style><body><script>
const cards = %s, drawn = [];
const begin = async () => {
  for (const one of cards) {
    const module = await import(URL.createObjectURL(new Blob([%s], { type: "text/javascript" })));
    const el = document.body.appendChild(document.createElement("div"));
    module.default.render({ model: { get: () => [one], on: () => {}, send: () => {} }, el });
    await new Promise((done) => { const wait = () => (el.dataset.drawn ? done() : setTimeout(wait, 20)); wait(); });
  }
  document.body.dataset.ready = "yes";
};
begin();
</script>"""
# At the foot, in the middle and at the head of each bar: whether it is painted there.
UNPAINTED = """() => [...document.querySelectorAll("path[aria-roledescription=bar]")].flatMap((bar) => {
  return [0.03, 0.5, 0.97].filter((part) => {
    bar.scrollIntoView({ block: "center" });
    const { left, top, width, height } = bar.getBoundingClientRect();
    return !document.elementsFromPoint(left + width / 2, top + part * height).includes(bar);
  }).map((part) => `${bar.getAttribute("aria-label")} at ${part}`);
})"""


def card(title: str, height: int) -> dict[str, Any]:
    rows = [
        {"region": region, "market": market, "spend": spend}
        for market, spends in {"home": (8, 3, 1), "abroad": (2, 5, 4)}.items()
        for region, spend in zip("abc", spends, strict=True)
    ]
    encoding = {
        "x": {"field": "region", "type": "nominal"},
        "y": {"field": "spend", "type": "quantitative"},
        "color": {"field": "market", "type": "nominal"},
    }
    spec = {"data": {"values": rows}, "mark": {"type": "bar", "cornerRadiusEnd": 2}, "encoding": encoding}
    return {"title": title, "subtitle": "", "html": "", "key": title, "pick": [], "width": "full",
            "spec": {**spec, "height": height}}  # fmt: skip


@pytest.mark.parametrize("width", [390, 1280])
def test_every_bar_of_both_is_painted_whole(chromium: str, tmp_path: Path, width: int) -> None:
    file = tmp_path / "boards.html"
    style, script = (HERE / "board.css").read_text("utf-8"), json.dumps(_script()).replace("</", "<\\/")
    file.write_text(PAGE % (style, json.dumps([card("low", 90), card("high", 300)]), script), "utf-8")
    with browser(chromium) as started:
        page = started.new_context(viewport={"width": width, "height": 900}).new_page()
        page.goto(file.as_uri())
        page.wait_for_selector("body[data-ready=yes]", timeout=60_000)
        assert page.locator("path[aria-roledescription=bar]").count() == 12
        with contextlib.suppress(TimeoutError):  # a board is drawn again once it knows its width
            page.wait_for_function(f"({UNPAINTED})().length === 0", timeout=10_000)
        assert page.evaluate(UNPAINTED) == []
