"""The Mandelbrot set in block, cyclic and dynamic decomposition."""
