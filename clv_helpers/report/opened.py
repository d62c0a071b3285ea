"""A report's boards as they begin: with a reader's own filter in the place of the boards' defaults."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import Any

from clv_helpers.config.validation import nearest
from clv_helpers.report.content import Block, Content, ReportError, Section


def opened(content: Content, wanted: dict[str, str]) -> Content:
    """The content with `wanted` (a filter's label → one of its choices) chosen on every board that offers it.

    Key figures, findings and charts that follow no filter stay as they are. Nothing is new in it: each board holds
    its charts for every choice. Raises ReportError where no board has such a filter, or it offers no such choice.
    """
    if not wanted:
        return content
    for label, choice in wanted.items():
        _check_offered(content, label, choice)
    return replace(content, sections=[_section(section, wanted) for section in content.sections])


def _check_offered(content: Content, label: str, choice: str) -> None:
    filters = [each for section in content.sections for block in section.blocks for each in block.filters]
    followed = [each for each in filters if each["used"]]
    ours = [each for each in followed if _is(each["label"], label)]
    if not ours:
        known = sorted({each["label"] for each in followed})
        raise ReportError(f"filter {label!r} is on no board; {_allowed(label, known)}")
    options = list(dict.fromkeys(option for each in ours for option in each["options"]))
    if not any(_is(option, choice) for option in options):
        raise ReportError(f"filter {label} is {choice!r}; {_allowed(choice, options)}")


def _allowed(word: str, known: list[str]) -> str:
    said = nearest(word, known)
    return said if said.startswith("did you mean") else f"allowed: {said or 'no board has a filter'}"


def _is(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def _section(section: Section, wanted: dict[str, str]) -> Section:
    return replace(section, blocks=[_block(block, wanted) for block in section.blocks])


def _block(block: Block, wanted: dict[str, str]) -> Block:
    if not block.filters:
        return block
    filters = [{**each, "first": _first(each, wanted)} for each in block.filters]
    charts = [chosen(chart, [each["first"] for each in filters]) for chart in block.charts]
    return replace(block, filters=filters, charts=charts)


def _first(offered: dict[str, Any], wanted: dict[str, str]) -> int:
    """The place of the choice that a filter begins with."""
    choices = [choice for label, choice in wanted.items() if _is(offered["label"], label)]
    places = [place for place, option in enumerate(offered["options"]) if any(_is(option, each) for each in choices)]
    return places[0] if places else offered["first"]


def chosen(chart: dict[str, Any], places: list[int]) -> dict[str, Any]:
    """A board's chart for one choice of each filter, by its place: what the page's script does on a click."""
    choices = chart["choices"]
    if not choices:
        return chart
    number = 0
    for place, count in choices["filters"]:
        number = number * count + places[place]
    title, subtitle = choices["texts"][number]
    if number == choices["first"]:
        return chart
    chart = {key: value for key, value in chart.items() if key != "still"}  # it is of another choice
    changed = {"title": title, "subtitle": subtitle, "choices": {**choices, "first": number}}
    if choices["html"]:
        return {**chart, **changed, "html": choices["html"][number]}
    params = [{**each, "value": number} if each["name"] == "choice" else each for each in chart["spec"]["params"]]
    return {**chart, **changed, "spec": {**chart["spec"], "params": params, "description": f"{title}. {subtitle}"}}


def suffix(wanted: dict[str, str]) -> str:
    """A filter as a part of a file's name, another one for each."""
    text = "-".join(part.casefold() for pair in wanted.items() for part in pair)
    plain = re.sub(r"[^a-z0-9]+", "-", text).strip("-")
    if re.fullmatch(r"[a-z0-9 -]*", text):
        return f"-{plain}" if plain else ""
    return f"-{plain}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"
