"""Sources of raw data, the manifest of a day and its coverage."""
