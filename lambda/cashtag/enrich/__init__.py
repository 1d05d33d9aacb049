"""One raw object to rows of its own ticker: clean, weigh, flag, score."""
