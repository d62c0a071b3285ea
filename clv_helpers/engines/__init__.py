"""SQL in one dialect (DuckDB's), run on the engine that the workbook names. Only this folder knows which."""
