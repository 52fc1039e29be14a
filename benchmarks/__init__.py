"""Side by side measurements: ratios from one run, never absolute times."""
