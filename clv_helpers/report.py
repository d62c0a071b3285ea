"""One self-contained HTML file from a run: code hidden, charts live with the network off, nobody named."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clv_helpers.charts import CHART_MIME
from clv_helpers.engines.files import write_atomically
from clv_helpers.errors import UserError
from clv_helpers.show import FIGURES_MIME, FINDING_MIME
from clv_helpers.workbook import outputs_folder

if TYPE_CHECKING:
    from clv_helpers.record import RunRecord

TEMPLATE = Path(__file__).with_name("report.html.j2")
EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


class ReportError(UserError):
    """A report that must not be written."""


@dataclass
class Chart:
    """A chart of a notebook: its texts, its spec without them, and a still picture for where scripts are blocked."""

    title: str
    subtitle: str
    spec: str
    picture: str
    wide: bool


@dataclass
class Block:
    """One piece of a section: `text` and `table` hold HTML, `charts` hold charts that stand side by side."""

    kind: str
    html: str = ""
    charts: list[Chart] = field(default_factory=list)


@dataclass
class Section:
    """One stage: what its notebook says and shows."""

    stage: int
    title: str
    blocks: list[Block] = field(default_factory=list)


@dataclass
class Content:
    """All that the report shows."""

    sections: list[Section] = field(default_factory=list)
    figures: list[dict[str, str]] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


def write(record: RunRecord, folder: Path) -> Path:
    """Write report.html from the run's executed notebooks; gives its path.

    Raises ReportError if an e-mail address would be in it.
    """
    import jinja2

    content = Content()
    for entry in record.stages:
        file = folder / f"{entry.notebook}.ipynb"
        if file.exists():
            content.sections.append(_section(json.loads(file.read_text("utf-8")), entry.stage, content))
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    body = template.render(record=record, title=record.params["title"], content=content, vega=_vega_bundle())
    _refuse_addresses(content)
    file = folder / "report.html"
    write_atomically(file, body)
    return file


def _section(notebook: dict[str, Any], stage: int, content: Content) -> Section:
    section = Section(stage, f"Stage {stage}")
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            heading = re.match(r"# (.+)\n*", source)
            if heading:
                section.title = heading[1].partition("· ")[2] or heading[1]
                source = source[heading.end() :]
            if source:
                section.blocks.append(Block("text", html=_markdown(source)))
        for output in cell.get("outputs", []):
            _add_output(section, output.get("data", {}), content)
    return section


def _add_output(section: Section, data: dict[str, Any], content: Content) -> None:
    if FIGURES_MIME in data:
        content.figures += data[FIGURES_MIME]
    elif FINDING_MIME in data:
        content.findings.append("".join(data[FINDING_MIME]))
        section.blocks.append(Block("text", html="".join(data["text/html"])))
    elif CHART_MIME in data:
        if not section.blocks or section.blocks[-1].kind != "charts":
            section.blocks.append(Block("charts"))
        section.blocks[-1].charts.append(_chart(data[CHART_MIME]))
    elif "text/html" in data:
        body = re.sub(r"<style.*?</style>", "", "".join(data["text/html"]), flags=re.DOTALL)
        section.blocks.append(Block("table" if "<table" in body else "text", html=body))


def _chart(spec: dict[str, Any]) -> Chart:
    """Title and subtitle become HTML, which wraps on a phone; the drawing takes the width it is given."""
    import vl_convert

    spec = copy.deepcopy(spec)
    title = spec.pop("title")
    wide = spec.pop("usermeta")["width"] == "full"
    picture = vl_convert.vegalite_to_svg(spec)
    spec |= {"width": "container", "autosize": {"type": "fit", "contains": "padding"}}
    # "<" never stands in the script element, so that no data can end it
    text = json.dumps(spec, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return Chart(title["text"], title.get("subtitle", ""), text, picture, wide)


def _vega_bundle() -> str:
    """Vega, Vega-Lite and vega-embed as one script, made by vl-convert and kept in the outputs folder."""
    import vl_convert

    kept = outputs_folder() / f".vega-{vl_convert.__version__}.js"
    if not kept.exists():
        write_atomically(kept, vl_convert.javascript_bundle("window.vegaEmbed=vegaEmbed;"))
    return kept.read_text(encoding="utf-8").replace("</script", "<\\/script")


def _markdown(source: str) -> str:
    from nbconvert.filters.markdown_mistune import markdown2html_mistune

    return markdown2html_mistune(source).replace("&#182;", "")


def _refuse_addresses(content: Content) -> None:
    for section in content.sections:
        for block in section.blocks:
            texts = [block.html, *(chart.title + chart.spec for chart in block.charts)]
            found = next((match for match in map(EMAIL.search, texts) if match), None)
            if found:
                raise ReportError(
                    f"stage {section.stage} shows an e-mail address, and a report names nobody: "
                    "show aggregates in that notebook, then run the stage again"
                )
