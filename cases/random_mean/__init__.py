"""The mean of many random numbers: sums gathered, or the numbers themselves.

All implementations take (numbers, seed, chunk) after the native handle and draw the numbers that
``reference.random_mean.streams`` lays down, so that all of them return the same bits.
"""
