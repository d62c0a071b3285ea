"""Errors of charts that cannot be drawn."""

from clv_helpers.errors import UserError


class ChartError(UserError):
    """A chart that cannot be drawn as described."""


class NotMade(ChartError):
    """A chart of a table that a stage makes, but has not made; the message says why, for its place on the board."""
