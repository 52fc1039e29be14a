"""What lives inside the processes of an explored run: every thread asks for its turn where it matters."""
