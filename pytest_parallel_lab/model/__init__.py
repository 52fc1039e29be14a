"""What is said about parallel runs: requests, outcomes, errors, settings. Pure: no pytest, no backend."""
