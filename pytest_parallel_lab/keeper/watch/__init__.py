"""Watching process trees from outside: what every thread waits for, and whether anything can still move."""
