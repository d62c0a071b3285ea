"""What is said of a chart that cannot be drawn."""

from clv_helpers.errors import UserError


class ChartError(UserError):
    """A chart that cannot be drawn as described."""
