"""Pi by Monte Carlo and by the integral of 4/(1+x²), on all six backends.

An integral takes (intervals) after the native handle, a Monte Carlo estimate (samples, seed, chunk).
"""
