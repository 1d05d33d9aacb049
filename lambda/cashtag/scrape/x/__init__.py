"""X: searches by the cookies of several accounts, evenly and within their budgets."""
