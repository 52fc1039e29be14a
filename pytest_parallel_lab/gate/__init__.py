"""Two versions of the code, measured side by side."""
