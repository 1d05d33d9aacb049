"""The lake: keys, stores, table contracts, Parquet in and out, completion of a day."""
