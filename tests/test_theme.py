"""Colours are told apart by everyone and read by everyone: WCAG AA and colour blindness, computed."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from clv_helpers.charts.theme import INK, PALETTE, QUIET, RAMP, WHITE_BELOW
from clv_helpers.config.workbook import ROOT

CSS = (ROOT / "clv_helpers" / "dashboards" / "board.css").read_text("utf-8")
PAGE = (ROOT / "clv_helpers" / "report" / "report.html.j2").read_text("utf-8")
# Machado, Oliveira & Fernandes (2009), severity 1
BLINDNESS = {
    "none": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def linear(color: str) -> np.ndarray:
    parts = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def luminance(color: str) -> float:
    return float(linear(color) @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def lab(rgb: np.ndarray) -> np.ndarray:
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = to_xyz @ np.clip(rgb, 0, 1) / np.array([0.9505, 1, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def themes(text: str, prefix: str) -> list[dict[str, str]]:
    blocks = re.findall(r"\{([^{}]*" + prefix + r"ink:[^{}]*)\}", text)
    return [dict(re.findall(prefix + r"(\w+): (#[0-9a-f]{6})", block)) for block in blocks]


ALL = [*themes(CSS, "--clv-"), *themes(PAGE, "--")]


def test_light_and_dark_are_there() -> None:
    grounds = {theme["ground"] for theme in ALL}
    assert len(grounds) == 2
    assert all(set(theme) == {"ink", "soft", "line", "ground", "card", "accent"} for theme in ALL)


@pytest.mark.parametrize("theme", ALL)
def test_text_stands_out_from_its_ground(theme: dict[str, str]) -> None:
    for text, ground in itertools.product(("ink", "soft", "accent"), ("ground", "card")):
        assert contrast(theme[text], theme[ground]) >= 4.5


def test_text_in_a_picture_without_styles_stands_out_from_white() -> None:
    assert contrast(INK, "#ffffff") >= 4.5
    assert contrast(PALETTE[0], "#ffffff") >= 4.5  # white words on blue bars


@pytest.mark.parametrize("color", [*PALETTE, QUIET])
def test_marks_stand_out_from_both_grounds(color: str) -> None:
    for ground in {theme["ground"] for theme in ALL}:
        assert contrast(color, ground) >= 3


@pytest.mark.parametrize("kind", BLINDNESS)
def test_series_are_told_apart_with_any_colour_blindness(kind: str) -> None:
    seen = [lab(np.array(BLINDNESS[kind]) @ linear(color)) for color in PALETTE]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) >= 11


def test_numbers_are_read_in_every_cell_of_a_heat_map() -> None:
    low, high = (np.array([int(c[i : i + 2], 16) for i in (1, 3, 5)]) for c in RAMP)
    for share in np.linspace(0, 1, 101):
        cell = "#{:02x}{:02x}{:02x}".format(*(low + (high - low) * share).round().astype(int))
        text = "#ffffff" if luminance(cell) < WHITE_BELOW else "#000000"
        assert contrast(text, cell) >= 4.5
