"""Edited YAML as files: written whole or not at all, never over another's change, with the comments they had."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from clv_helpers.config import yaml_files


def name_of(title: str) -> str:
    """A file's name from a title: small letters without accents, digits and _.

    Example:
        >>> name_of("Größe & café, 2026")
        'groe_cafe_2026'
    """
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")[:60]


def save(file: Path, raw: dict[str, Any], read_as: str) -> str:
    """Write beside the file and rename; gives the new fingerprint. Comments of the file stay with what they stand in.

    Raises SpecChanged where the file is not the one with the fingerprint `read_as`.
    """
    yaml_files.check_unchanged(file, read_as)
    earlier = yaml_files.round_trip().load(file.read_text("utf-8")) if file.exists() else CommentedMap()
    return yaml_files.save(file, yaml_files.dump(merged(earlier, raw)), read_as)


def delete(file: Path, read_as: str) -> None:
    """Delete a file. Raises SpecChanged where it is not the one that was read."""
    yaml_files.check_unchanged(file, read_as)
    file.unlink(missing_ok=True)


def merged(earlier: Any, now: Any) -> Any:
    """The values of `now` in the form of `earlier`: what did not change keeps its comments and its style."""
    if isinstance(now, dict) and isinstance(earlier, CommentedMap):
        for key in [key for key in earlier if key not in now]:
            del earlier[key]
        for key, value in now.items():
            earlier[key] = merged(earlier.get(key), value)
        return earlier
    if _same(earlier, now):
        return earlier
    return _merged_list(earlier, now) if isinstance(now, list) and isinstance(earlier, CommentedSeq) else now


def _merged_list(earlier: CommentedSeq, now: list[Any]) -> Any:
    """Items are known again by being the same, by their title, else by their place."""
    left = list(earlier)
    matches: list[Any] = []
    for item in now:
        match = next((old for old in left if _same(old, item)), None)
        if match is None and isinstance(item, dict):
            match = next((old for old in left if isinstance(old, dict) and old.get("title") == item.get("title")), None)
        if match is not None:
            left.remove(match)
        matches.append(match)
    items = [merged(old, item) for old, item in zip(matches, now, strict=True)]
    if not any(isinstance(item, dict) for item in now):
        return items
    earlier[:] = items
    return earlier


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other if not isinstance(one, dict | list) else one == other
