"""SQL in Athena dialect over the lake: DuckDB on a laptop."""
