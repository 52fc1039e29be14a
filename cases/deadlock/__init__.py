"""Programs that hang, each with its repair."""
