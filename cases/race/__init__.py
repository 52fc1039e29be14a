"""Numbers that two workers change at the same time, with and without a lock."""
