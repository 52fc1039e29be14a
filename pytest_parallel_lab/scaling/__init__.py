"""Measuring how times change with the number of workers."""
