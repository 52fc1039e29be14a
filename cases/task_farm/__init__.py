"""A farm of workers that run an external program on files, until each takes a poison pill."""
