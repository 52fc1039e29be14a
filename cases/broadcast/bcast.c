/* Broadcasts of arrays of doubles from rank 0, timed.

   mpiexec -n 2 ./bcast ROUNDS DOUBLES [DOUBLES ...]

   Rank 0 prints a line for every length: the length, then the seconds of each round, from the
   moment all ranks were ready to the last one's end. program.py is the same program in Python. */

#define _DEFAULT_SOURCE

#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

#define PAGE 4096
#define HUGE_FROM ((size_t)1 << 22)

/* All ranks have the same arguments, and end together: MPI_Abort may take the words along. */
static void refuse(const char *why, const char *text, long least)
{
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank == 0) {
        fprintf(stderr, why, text, least);
        fflush(stderr);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Finalize();
    exit(2);
}

static long number(const char *text, long least)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0' || value < least)
        refuse("bcast: %s: a whole number of at least %ld is wanted\n", text, least);
    return value;
}

/* The memory that NumPy's arrays have: from 4 MB on, NumPy asks Linux for huge pages. In small ones a message
   between two processes takes about twice as long, and that would be no matter of the language. */
static double *allocate(long doubles)
{
    size_t bytes = (doubles ? doubles : 1) * sizeof(double);
    char *memory = malloc(bytes);
    if (memory == NULL)
        MPI_Abort(MPI_COMM_WORLD, 1);
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (bytes >= HUGE_FROM) {
        size_t offset = PAGE - (uintptr_t)memory % PAGE;
        madvise(memory + offset, bytes - offset, MADV_HUGEPAGE);
    }
#endif
    return (double *)memory;
}

int main(int argc, char **argv)
{
    int rank, provided;
    /* As mpi4py does: with fewer threads allowed, MPICH takes another way through shared memory. */
    MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (argc < 3)
        refuse("usage: bcast ROUNDS DOUBLES [DOUBLES ...]%s\n", "", 0);
    long rounds = number(argv[1], 1);
    for (int arg = 2; arg < argc; arg++) {
        long doubles = number(argv[arg], 0), wrong = 0;
        double *values = allocate(doubles);
        for (long i = 0; i < doubles; i++)
            values[i] = rank == 0 ? 0.5 * i : -1.0;
        if (rank == 0)
            printf("%ld", doubles);
        for (long round = 0; round < rounds; round++) {
            double start, elapsed, slowest;
            MPI_Barrier(MPI_COMM_WORLD);
            start = MPI_Wtime();
            MPI_Bcast(values, (int)doubles, MPI_DOUBLE, 0, MPI_COMM_WORLD);
            elapsed = MPI_Wtime() - start;
            MPI_Reduce(&elapsed, &slowest, 1, MPI_DOUBLE, MPI_MAX, 0, MPI_COMM_WORLD);
            if (rank == 0)
                printf(" %.9f", slowest);
        }
        if (rank == 0) {
            printf("\n");
            fflush(stdout);
        }
        for (long i = 0; i < doubles; i++)
            wrong += values[i] != 0.5 * i;
        if (wrong) {
            fprintf(stderr, "bcast: rank %d has %ld wrong doubles of %ld\n", rank, wrong, doubles);
            MPI_Abort(MPI_COMM_WORLD, 1);
        }
        free(values);
    }
    MPI_Finalize();
    return 0;
}
