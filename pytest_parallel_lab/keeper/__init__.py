"""The processes behind every run: the keeper that forks and reaps, the runners that carry runs out."""
