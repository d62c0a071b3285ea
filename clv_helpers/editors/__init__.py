"""What the composer and the segment builder share: actions, undo, saving, and the catalogue of columns."""

from clv_helpers.editors.columns import attributes
from clv_helpers.editors.draft import Draft

__all__ = ["Draft", "attributes"]
