"""What the composer and the segment builder share: file bar, undo, saving, and the catalogue of columns."""

from clv_helpers.editors.columns import attributes
from clv_helpers.editors.draft import Draft
from clv_helpers.editors.editor import Editor

__all__ = ["Draft", "Editor", "attributes"]
