"""Helpers behind the notebooks: one module or folder per stage of the CLV workbook."""
