"""A filter that takes several values: its open list stays within the page, whatever is to be chosen and wherever."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clv_helpers.dashboards.grid import HERE
from lab import browser

PAGE = """<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width"><style>%s</style>
<body><div class="clv-live" style="display: flex; flex-flow: row wrap; justify-content: %s"></div><script>
const model = { get: (name) => ({ description: "Country", options: %s, value: [] })[name], on: () => {} };
const begin = async () => {
  const module = await import(URL.createObjectURL(new Blob([%s], { type: "text/javascript" })));
  const el = document.querySelector(".clv-live").appendChild(document.createElement("div"));
  module.default.render({ model, el });
};
begin();
</script>"""
OUTSIDE = """() => [...document.querySelectorAll(".clv-choice, .clv-choice *")].filter((one) => {
  const { left, right } = one.getBoundingClientRect();
  return left < 0 || right > document.documentElement.clientWidth;
}).map((one) => one.outerHTML.slice(0, 80))"""
LONG = ("The United Kingdom of Great Britain and Northern Ireland", "Unspecified_" * 6)
OPTIONS = ["Malta", *LONG, *map(str, range(60))]


@pytest.mark.parametrize("side", ["start", "end"])
def test_the_open_list_is_within_the_page(chromium: str, tmp_path: Path, side: str) -> None:
    file = tmp_path / "choice.html"
    style, script = ((HERE / name).read_text("utf-8") for name in ("board.css", "choice.js"))
    file.write_text(PAGE % (style, side, json.dumps(OPTIONS), json.dumps(script)), "utf-8")
    with browser(chromium) as started:
        for width in (320, 390, 800, 1280):
            page = started.new_page(viewport={"width": width, "height": 800})
            page.goto(file.as_uri())
            page.locator("summary").click()
            page.locator("input[type=search]:focus").wait_for()
            assert (width, page.evaluate(OUTSIDE)) == (width, [])
            assert page.evaluate("document.documentElement.scrollWidth") <= width
