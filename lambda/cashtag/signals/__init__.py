"""The SQL models in their order, the checks, and publication."""
