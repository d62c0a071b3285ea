"""What a workbook is: its params, its datasets and their columns, the YAML files beside it, and where it lies."""
