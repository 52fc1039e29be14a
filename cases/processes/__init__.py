"""Processes that share nothing unless told to: fork and join, shared memory, queues, pipes, pools, poison pills."""
