"""Matrix multiplication: every implementation gives each worker a block of rows of the result."""
