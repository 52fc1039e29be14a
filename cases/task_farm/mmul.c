/* mmul: multiply two matrices.
 *
 *     mmul < problem.in > product.out
 *
 * The input is text: the numbers m, k and n, then the m x k numbers of the first matrix by rows, then the
 * k x n numbers of the second one. The output is a line with m and n, then the m x n numbers of the product,
 * a row on each line, with digits enough to read back the very same doubles.
 *
 * Exit status: 0; 1 where the input is not as said; 2 where memory or the output fails. In both cases a line on
 * stderr says what is wrong. Nothing is printed before the whole input has been read.
 */
#include <stdio.h>
#include <stdlib.h>

enum { BAD_INPUT = 1, OUT_OF_LUCK = 2 };
enum { MOST = 20000 }; /* rows and columns: keeps every product of two sizes far from overflow */

static double *make(long rows, long columns)
{
    double *matrix = malloc(sizeof *matrix * (size_t)(rows * columns + 1)); /* + 1: never of size 0 */

    if (matrix == NULL) {
        fprintf(stderr, "mmul: no memory for %ld x %ld numbers\n", rows, columns);
        exit(OUT_OF_LUCK);
    }
    return matrix;
}

static double *read_matrix(const char *name, long rows, long columns)
{
    double *matrix = make(rows, columns);

    for (long i = 0; i < rows * columns; i++) {
        if (scanf("%lf", &matrix[i]) != 1) {
            fprintf(stderr, "mmul: row %ld, column %ld of the %s matrix is missing or not a number\n",
                    i / columns, i % columns, name);
            exit(BAD_INPUT);
        }
    }
    return matrix;
}

int main(void)
{
    long m, k, n;

    if (scanf("%ld %ld %ld", &m, &k, &n) != 3) {
        fprintf(stderr, "mmul: the input does not begin with three sizes\n");
        return BAD_INPUT;
    }
    if (m < 0 || k < 0 || n < 0 || m > MOST || k > MOST || n > MOST) {
        fprintf(stderr, "mmul: the sizes %ld, %ld, %ld are not between 0 and %d\n", m, k, n, MOST);
        return BAD_INPUT;
    }
    double *a = read_matrix("first", m, k);
    double *b = read_matrix("second", k, n);
    double *row = make(1, n);
    char more;

    if (scanf(" %c", &more) == 1) {
        fprintf(stderr, "mmul: there is more in the input than two matrices of these sizes\n");
        return BAD_INPUT;
    }
    printf("%ld %ld\n", m, n);
    for (long i = 0; i < m; i++) {
        for (long j = 0; j < n; j++)
            row[j] = 0.0;
        for (long x = 0; x < k; x++) /* the inner loop goes along rows, as memory does */
            for (long j = 0; j < n; j++)
                row[j] += a[i * k + x] * b[x * n + j];
        for (long j = 0; j < n; j++)
            printf("%s%.17g", j ? " " : "", row[j]);
        putchar('\n');
    }
    free(a);
    free(b);
    free(row);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("mmul: the product cannot be written");
        return OUT_OF_LUCK;
    }
    return 0;
}
