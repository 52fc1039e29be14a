"""Every rank says its rank, the size of the world and the name of its processor."""
