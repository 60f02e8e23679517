/*
 * The native kernels, compiled once for each kind of vector unit; Python picks by name what the
 * machine has. kernels.h holds the code; here stand the kinds and what no vector unit changes.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SYMBOLS 5             /* A, T, C, G and everything else */
#define GROUP 4               /* bases looked up together */
#define GROUP_SYMBOLS 625     /* SYMBOLS to the power of GROUP */
#define USUAL_GROUPS 10       /* of kernels of 40 bp: loops over so many are unrolled */
#define CACHE_LINE 16         /* in floats */
#define INNER 384             /* products summed before the sums go back to memory */
#define KERNELS 16            /* whose table entries, and SEQUENCES whose gradients, are in the cache */
#define SEQUENCES 8
#define AHEAD 16              /* rows fetched before their turn */

/* One direction of an LSTM over some rows; strides and starts count floats. */
typedef struct {
    int64_t units, steps;
    const float *weights;           /* packed, see recur and recur_backward */
    float *gates;                   /* gate inputs i, f, g, o of a step, `units` each */
    const int64_t *gate_start;      /* of each row's first step */
    int64_t gate_step;              /* to the next step: negative for the backward direction */
    float *states;
    const int64_t *state_start;
    int64_t state_step;
    float *cells;                   /* addressed like states; NULL: neither they nor the gates are kept */
    float *hidden, *cell;           /* (rows, units): where rows start, replaced by where they end */
} recurrence;

/* What dropout zeroes: a value whose hash of seed, row and column is below the threshold. */
typedef struct {
    uint64_t seed;
    uint32_t threshold;
} dropout;

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* A row's own stream of 32 bits (the finaliser of SplitMix64, Steele et al. 2014). */
static inline uint32_t row_seed(uint64_t seed, uint64_t row)
{
    uint64_t z = seed + (row + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (uint32_t)(z ^ (z >> 31));
}

/* index[p] of the GROUP bases from p on; past the end of a sequence every base is "else". */
void group_codes(const uint8_t *codes, int64_t sequences, int64_t length, uint16_t *index)
{
    for (int64_t n = 0; n < sequences; n++, codes += length, index += length) {
        unsigned group = GROUP_SYMBOLS - 1;
        for (int64_t p = length - 1; p >= 0; p--) {
            unsigned code = codes[p] < SYMBOLS ? codes[p] : SYMBOLS - 1;
            group = group / SYMBOLS + code * (GROUP_SYMBOLS / SYMBOLS);
            index[p] = (uint16_t)group;
        }
    }
}

#define JOIN(function, kind) function##_##kind
#define EXPAND(function, kind) JOIN(function, kind)
#define NAME(function) EXPAND(function, KIND)

#if defined(__x86_64__)

const char *best_kind(void)
{
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
        return "avx512";
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? "avx2" : "plain";
}

#define KIND avx512
#define TARGET __attribute__((target("avx512f,avx512dq,avx2,fma")))
#define LANES 16
#define ROWS 6
#include "kernels.h"

#define KIND avx2
#define TARGET __attribute__((target("avx2,fma")))
#define LANES 8
#define ROWS 3
#include "kernels.h"

#define KIND plain
#define TARGET
#define LANES 4
#define ROWS 3
#include "kernels.h"

#else

const char *best_kind(void) { return "plain"; }

#define KIND plain
#define TARGET
#define LANES 4
#define ROWS 6
#include "kernels.h"

#endif
