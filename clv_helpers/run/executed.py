"""An executed notebook gets its name only once it was looked at: no customer stands in what a run leaves behind.

Its charts get a still picture, for who reads it where no script draws them: nbconvert, a mail, a code host.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

from clv_helpers.charts import CHART_MIME, show
from clv_helpers.charts.vega import STILL_MIME, still, titled
from clv_helpers.files import write_atomically
from clv_helpers.report.last_look import LastLook
from clv_helpers.report.shown import Shown

TAKEN_OUT = "What stood here is left out: it showed a customer."


def settle(look: LastLook, part: Path, file: Path) -> str:
    """Give an executed notebook its name, without what shows a customer; gives a sentence on the first such cell.

    An error keeps its text, with … for each customer. Pictures (PNG) are not read. What cannot be looked at is not
    kept. Cost: a pass over each identity column of the lake.
    """
    try:
        try:
            notebook = json.loads(part.read_text(encoding="utf-8"))
        except ValueError:  # the disk is full, or the run was ended as it was written
            return "it could be written by half only, and is not kept"
        _with_stills(notebook["cells"])
        sentence = _clean(look, notebook["cells"])
        notebook["metadata"].pop("papermill", None)  # paths of this machine, and what stands in the cells already
        write_atomically(file, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
    finally:
        part.unlink(missing_ok=True)
    return sentence


def _with_stills(cells: list[dict[str, Any]]) -> None:
    for cell in cells:
        for data in [output.get("data", {}) for output in cell.get("outputs", [])]:
            chart = data.get(CHART_MIME)
            if chart and isinstance(chart.get("title"), dict):  # one of ours
                spec = {key: value for key, value in chart.items() if key not in ("title", "usermeta")}
                texts = {"subtitle": [], **chart["title"]}
                lines = [_lines(texts[key], width) for key, width in show.LINES.items()]
                data[STILL_MIME] = titled(still(spec), *lines)


def _lines(text: str | list[str], width: int) -> list[str]:
    return textwrap.wrap(text if isinstance(text, str) else " ".join(text), width)


def _clean(look: LastLook, cells: list[dict[str, Any]]) -> str:
    """Take out of the cells what shows a customer; gives a sentence on the first one."""
    sources = [look.shown("".join(cell["source"])) for cell in cells]
    outputs = [(cell, output) for cell in cells for output in cell.get("outputs", [])]
    found = look.find(*sources, *(_shown(look.shown(), output) for _, output in outputs))
    sentences = {}
    for position, what in found:
        if position < len(cells):
            cell, where = cells[position], "source"
            cell["source"] = look.hidden("".join(cell["source"]))
        else:
            cell, output = outputs[position - len(cells)]
            where = "output"
            _take_out(look, output)
        number = next(n for n, each in enumerate(cells, 1) if each is cell)
        sentences[number] = f"cell {number}: its {where} showed {what}, and is left out: show aggregates there"
    return sentences[min(sentences)] if sentences else ""


def _shown(shown: Shown, output: dict[str, Any]) -> Shown:
    for kind, content in output.get("data", {}).items():
        content = "".join(content) if _is_lines(content) else content
        if kind in ("text/html", STILL_MIME):
            shown.html(content)
        elif kind == "text/plain":
            shown.printed(str(content))
        elif not kind.startswith("image/"):
            shown.json(content)
    shown.printed("".join(output.get("text", "")))
    for key in ("ename", "evalue", "traceback"):
        shown.text("\n".join(output[key]) if isinstance(output.get(key), list) else output.get(key, ""))
    return shown


def _is_lines(content: Any) -> bool:
    """Whether it is a text, which notebooks keep as a list of its lines."""
    return isinstance(content, list) and all(isinstance(line, str) for line in content)


def _take_out(look: LastLook, output: dict[str, Any]) -> None:
    if output["output_type"] == "error":
        output["ename"], output["evalue"] = look.hidden(output["ename"]), look.hidden(output["evalue"])
        output["traceback"] = [look.hidden(line) for line in output["traceback"]]
        return
    output.clear()
    output |= {"output_type": "display_data", "data": show.note(TAKEN_OUT).bundle, "metadata": {}}
