"""How often the paired gate raises a false alarm, and how often it finds a loss, beside stock comparisons."""
