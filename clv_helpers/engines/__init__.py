"""SQL in one dialect (DuckDB's), run on the engine that the workbook names. Only this folder knows which."""

# The engines into whose SQL a query can be put, by sqlglot's names.
TARGETS = ("spark", "snowflake", "bigquery", "databricks", "trino", "postgres")
