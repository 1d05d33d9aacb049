"""AWS events in, one step, a dict out."""
