"""Runs that are looked into more closely: under chosen schedules, or task by task."""
