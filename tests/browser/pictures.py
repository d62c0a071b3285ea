"""The README's pictures, from a fresh run of the airline: `make pictures`; and how far two of them are apart."""

from __future__ import annotations

import base64
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page

from clv_helpers.config.workbook import ROOT
from clv_helpers.run import notebooks
from lab import browser, jupyterlab, run_notebook

PICTURES = ("report", "dashboard", "composer")
# Two pictures in grey, each square of `block` pixels as its mean; the most that a square differs, of 255. `paint`: what
# is painted over the second: rectangles in white, and a text.
APART = """async ([urls, block, paint]) => {
  const read = async (url, isPainted) => {
    const image = new Image();
    image.src = url;
    await image.decode();
    const { width, height } = image, canvas = new OffscreenCanvas(width, height), on = canvas.getContext("2d");
    on.drawImage(image, 0, 0);
    for (const [x, y, w, h, text] of isPainted ? paint : []) {
      on.fillStyle = "white";
      on.fillRect(x, y, w, h);
      on.fillStyle = "#1f2933";
      on.font = "13px sans-serif";
      on.fillText(text, x, y + h - 4);
    }
    const pixels = on.getImageData(0, 0, width, height).data, columns = Math.ceil(width / block);
    const sums = new Float64Array(columns * Math.ceil(height / block));
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const at = 4 * (y * width + x), grey = 0.299 * pixels[at] + 0.587 * pixels[at + 1] + 0.114 * pixels[at + 2];
        sums[Math.floor(y / block) * columns + Math.floor(x / block)] += grey / block ** 2;
      }
    return { size: [width, height].join(" x "), sums };
  };
  const [one, other] = [await read(urls[0], false), await read(urls[1], true)];
  return one.size === other.size ? Math.max(...one.sums.map((mean, i) => Math.abs(mean - other.sums[i]))) : 255;
}"""
BLOCK = 40  # pixels
ALIKE = 15  # at most: another day in a line of text makes 9, a card without its content 24 and more


def take_pictures(executable: str, folder: Path = ROOT / "docs") -> None:
    """Run the airline, and write the pictures into the folder."""
    record, run = notebooks.run(ROOT / "params" / "airline.yml", log=print)
    with browser(executable) as started:
        page = started.new_page(viewport={"width": 1180, "height": 1500})
        page.goto((run / record.report).as_uri())
        page.wait_for_function("document.querySelectorAll('.clv-chart.vega-embed').length >= 25")
        page.screenshot(path=folder / "report.png", clip={"x": 0, "y": 0, "width": 1180, "height": 1140})
        with tempfile.TemporaryDirectory() as home, jupyterlab(Path(home)) as (address, token):
            take_live(started, address, token, folder)


def take_live(started: Browser, address: str, token: str, folder: Path) -> None:
    """The composer and the board as they are in notebook 3."""
    page = started.new_page(viewport={"width": 1440, "height": 1240})
    run_notebook(page, address, token, "3_dashboard")
    page.wait_for_selector(".clv-composer .clv-chart svg.marks", timeout=120_000)
    page.get_by_role("tab", name="File Browser").first.click()  # the board is what the picture is of
    live, composer = page.locator(".clv-live").first, page.locator(".clv-composer").first
    composer.get_by_role("button", name="New board", exact=True).click()
    composer.get_by_label("Search tables and their columns").fill("region")
    composer.get_by_role("button", name="New widget on Value by region").click()
    for column in ("region", "spend", "market"):
        composer.get_by_role("button", name=column, exact=True).click()
    composer.locator(".clv-title", has_text="Spend by region and market").wait_for()
    page.set_viewport_size({"width": 1440, "height": 1700})  # all of it, without the lab around it
    composer.evaluate("composer => composer.scrollIntoView()")
    (folder / "composer.png").write_bytes(at_rest(composer.screenshot))
    page.set_viewport_size({"width": 1440, "height": 1240})
    live.evaluate("board => board.scrollIntoView()")
    (folder / "dashboard.png").write_bytes(at_rest(page.screenshot))


def at_rest(take: Callable[[], bytes], most: int = 30) -> bytes:
    """The picture once nothing moves any more: two in a row are the same."""
    pictures = [take()]
    while len(pictures) < most:
        pictures.append(take())
        if pictures[-1] == pictures[-2]:
            return pictures[-1]
    raise TimeoutError(f"the page still moves after {most} pictures")


def apart(page: Page, one: Path, other: Path, paint: tuple[tuple[int, int, int, int, str], ...] = ()) -> float:
    """How far two pictures are apart: the most that the mean grey of a square differs, of 255; of other size, 255.

    `paint`: what the second is painted over with: x, y, width and height in pixels, left white, and a text in it.
    """
    urls = [f"data:image/png;base64,{base64.b64encode(file.read_bytes()).decode()}" for file in (one, other)]
    return float(page.evaluate(APART, [urls, BLOCK, [list(each) for each in paint]]))


if __name__ == "__main__":
    take_pictures(shutil.which("chromium") or "chromium")
