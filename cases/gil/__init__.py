"""The interpreter lock: pure Python on threads and on processes, and NumPy on threads."""
