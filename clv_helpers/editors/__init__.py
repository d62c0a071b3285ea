"""What the composer and the segment builder share: file bar, undo, saving, and the catalogue of columns."""
