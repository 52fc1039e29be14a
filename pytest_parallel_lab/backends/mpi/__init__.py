"""MPI: real ranks, started once by a real mpiexec and kept warm."""
