"""The paired gate in pytest: the session that judges, and the two that measure for it."""
