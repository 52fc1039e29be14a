"""A Monte-Carlo agent whose random paths are tried out in parallel."""
