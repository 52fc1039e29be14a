"""What lives inside the processes of a run: it notes little while they run, and tells all when asked."""
