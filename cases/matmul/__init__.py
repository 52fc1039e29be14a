"""Matrix multiplication by row blocks, on every backend."""
