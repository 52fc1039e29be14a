"""What becomes of a map when a worker dies, or is stopped, in the middle of it."""
