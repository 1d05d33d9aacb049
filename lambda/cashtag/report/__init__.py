"""The static dashboard: one page, its data, no network."""
