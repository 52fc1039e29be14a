"""Ways of running workers, one module each, behind the protocol in ``base``."""
