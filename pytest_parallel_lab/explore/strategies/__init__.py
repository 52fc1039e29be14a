"""Ways to choose schedules: one in each module, behind one protocol."""
