"""Sites: ranks and engines on a batch system or on several hosts."""
