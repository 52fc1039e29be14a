"""Errors of the MPI library: exceptions with a class and a string, or the end of all ranks."""
