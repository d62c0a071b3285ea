"""What other packages add to a rule: formats it can be written in, and notes on it, found by entry points."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib.metadata import entry_points

from clv_helpers.audiences.rule import Audience
from clv_helpers.errors import UserError

FORMATS_GROUP = "clv_helpers.rule_formats"  # each a dict: the format's name → a function that writes it
NOTES_GROUP = "clv_helpers.rule_notes"  # each a function: an audience → sentences

Format = Callable[[str, Audience, str], str]


class CannotExpress(UserError):
    """A format has no form for a part of the rule; the message names the part."""


@functools.cache
def formats() -> dict[str, Format]:
    """The formats that are installed: the name of each, and the function of (name, audience, tenant) that writes it.

    A format raises CannotExpress for a rule that it has no form for.
    """
    return {name: write for point in entry_points(group=FORMATS_GROUP) for name, write in point.load().items()}


def platform_notes(audience: Audience) -> list[str]:
    """What the platforms whose formats are installed would warn of, or refuse, each in a sentence."""
    return [note for point in entry_points(group=NOTES_GROUP) for note in point.load()(audience)]
