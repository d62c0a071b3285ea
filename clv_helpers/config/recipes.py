"""Recipes: how the export of a known system becomes a source, one YAML file each under clv_helpers/recipes.

`preset: shopify_orders` in a source takes what the recipe says wherever the source says nothing itself. A recipe tells
where its columns are published, so that a later version of the export can be compared.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from clv_helpers.config.validation import Strict, nearest, read_yaml, validate

FOLDER = Path(__file__).resolve().parents[1] / "recipes"


class Published(Strict):
    """Where the columns of an export are described, and when that was read."""

    pages: list[str] = Field(default=[], max_length=5)
    """addresses; none: the list is no vendor's"""
    read: dt.date
    """the day of reading"""


class Recipe(Strict):
    """The export of one system: what tells it, and the keys of a source that read it."""

    title: str = Field(min_length=1)
    """the system and the export, as its maker names them"""
    published: Published = Field(alias="from")
    """where its columns are described"""
    dataset: Literal["purchases", "email_events", "customers"]
    """what its rows are"""
    recognised_by: list[str] = Field(min_length=2)
    """headers that no other export has together"""
    source: dict[str, Any]
    """keys of a source, but for its path"""
    notes: list[str] = Field(min_length=1)
    """what counts and what does not, a sentence each"""

    @property
    def headers(self) -> list[str]:
        """The headers that its columns are read from, of alternatives the first; expressions name others."""
        columns = self.source["columns"].values()
        plain = [each[0] if isinstance(each, list) else each for each in columns if not isinstance(each, dict)]
        return list(dict.fromkeys([*plain, *self.recognised_by]))


def names() -> list[str]:
    """The recipes there are, sorted.

    Example:
    >>> "shopify_orders" in names()
    True
    """
    return sorted(file.stem for file in FOLDER.glob("*.yml"))


@functools.cache
def recipe(name: str) -> Recipe:
    """A recipe by its name. Raises KeyError where there is none of that name.

    Example:
    >>> recipe("shopify_orders").dataset
    'purchases'
    """
    if name not in names():
        raise KeyError(name)
    shown = f"recipes/{name}.yml"
    return validate(Recipe, read_yaml(FOLDER / f"{name}.yml", shown), shown)


def recognised(headers: Collection[str]) -> tuple[str, float] | None:
    """The recipe that a file's headers tell, and the share of the recipe's headers that the file has; None: no recipe.

    Example:
    >>> recognised(["Date", "Time", "Time Zone", "Gross Sales", "Net Sales"]) is None
    True
    """
    told = [name for name in names() if set(recipe(name).recognised_by) <= set(headers)]
    shares = {name: sum(h in headers for h in recipe(name).headers) / len(recipe(name).headers) for name in told}
    return max(shares.items(), key=lambda each: (each[1], len(recipe(each[0]).recognised_by)), default=None)


def with_presets(sources: Any) -> Any:
    """The `sources` of a params file, with what their recipes say where they say nothing themselves.

    Columns, statuses, rows left out and the form of a CSV are merged by name; `null` takes one of them out. Raises
    ValueError for a recipe that there is not, or that is of another dataset.
    """
    if not isinstance(sources, dict):
        return sources
    return {dataset: _with_preset(dataset, source) for dataset, source in sources.items()}


def _with_preset(dataset: str, source: Any) -> Any:
    name = source.get("preset") if isinstance(source, dict) else None
    if not name:
        return source
    known = [each for each in names() if recipe(each).dataset == dataset]
    if name not in known:
        allowed = nearest(str(name), known) if known else f"none, as there is no recipe for {dataset}"
        raise ValueError(f"{dataset}.preset is {name!r}; allowed: {allowed}")
    defaults = recipe(name).source
    return defaults | {key: _over(defaults.get(key), own) for key, own in source.items()}


def _over(default: Any, own: Any) -> Any:
    if not isinstance(default, dict) or not isinstance(own, dict):
        return own
    return {name: value for name, value in (default | own).items() if value is not None}
