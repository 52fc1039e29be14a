"""A map whose worker dies or is stopped in the middle of it."""
