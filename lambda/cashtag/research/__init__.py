"""What the lake says about itself: factor figures, thresholds, outcomes."""
