/*
 * One kind of vector unit: LANES floats in a vector, ROWS rows of four vectors in registers.
 *
 * A panel holds PANEL = 4 * LANES columns of a matrix, row after row, so that one step of a
 * product reads it in order; the last panel is filled up with zeros. All three products here, of
 * matrices, of a recurrence and of its gradient, are the same few lines over panels: `multiply`.
 */

#define PANEL (4 * LANES)
#define INLINE static inline TARGET __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")
#define vec NAME(vec)
#define ivec NAME(ivec)
#define uvec NAME(uvec)
#define hvec NAME(hvec)

typedef float vec __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef uint32_t uvec __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef uint16_t hvec __attribute__((vector_size(2 * LANES), aligned(2), may_alias));

const int64_t NAME(lanes) = LANES;

/* Calls with a constant number of rows, so that their loops unroll into registers. */
#if ROWS == 6
#define WITH_ROWS(rows, CALL) \
    switch (rows) { \
    case 1: CALL(1); break; case 2: CALL(2); break; case 3: CALL(3); break; \
    case 4: CALL(4); break; case 5: CALL(5); break; default: CALL(6); }
#else
#define WITH_ROWS(rows, CALL) \
    switch (rows) { case 1: CALL(1); break; case 2: CALL(2); break; default: CALL(3); }
#endif

/* The first `count` floats from p on, zeros behind them; what is not counted is not touched. */
INLINE vec NAME(load)(const float *p, int64_t count)
{
    if (count >= LANES)
        return *(const vec *)p;
    vec values = {0};
    if (count > 0)
        memcpy(&values, p, (size_t)count * sizeof(float));
    return values;
}

INLINE void NAME(store)(float *p, vec values, int64_t count)
{
    if (count >= LANES)
        *(vec *)p = values;
    else if (count > 0)
        memcpy(p, &values, (size_t)count * sizeof(float));
}

INLINE vec NAME(choose)(ivec mask, vec yes, vec no) { return (vec)((mask & (ivec)yes) | (~mask & (ivec)no)); }

INLINE vec NAME(larger)(vec a, vec b) { return NAME(choose)(a > b, a, b); }

/*
 * exp(-x), no further from 1 than a factor of 2^40: 2^n 2^f with n whole and |f| <= 1/2, and 2^f by
 * its minimax polynomial (relative error 2e-9 before rounding).
 */
INLINE vec NAME(exp_minus)(vec x)
{
    const float magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to whole numbers */
    vec y = x * -1.44269504f;
    y = NAME(choose)(y > 40.0f, (vec){0} + 40.0f, NAME(choose)(y < -40.0f, (vec){0} - 40.0f, y));
    vec rounded = y + magic, f = y - (rounded - magic);
    vec power = f * 1.535336225e-4f + 1.339887484e-3f;
    power = power * f + 9.618437360e-3f;
    power = power * f + 5.550332470e-2f;
    power = power * f + 2.402264791e-1f;
    power = power * f + 6.931472029e-1f;
    power = power * f + 1.0f;
    return (vec)((uvec)power + ((uvec)rounded << 23));
}

INLINE vec NAME(sigmoid)(vec x) { return 1.0f / (1.0f + NAME(exp_minus)(x)); }

INLINE vec NAME(tanh)(vec x) { return 2.0f / (1.0f + NAME(exp_minus)(x + x)) - 1.0f; }

/* sums[r][v] += sum over k of a[r * row_step + k * step] * panel[k][v], for `count` k. */
INLINE void NAME(multiply)(int rows, int vectors, vec sums[ROWS][4], const float *a, int64_t row_step, int64_t step,
                           const float *panel, int64_t count)
{
    for (int64_t k = 0; k < count; k++, a += step, panel += PANEL) {
        vec column[4];
        UNROLL for (int v = 0; v < vectors; v++)
            column[v] = *(const vec *)(panel + v * LANES);
        UNROLL for (int r = 0; r < rows; r++)
            UNROLL for (int v = 0; v < vectors; v++)
                sums[r][v] += a[r * row_step] * column[v];
    }
}

/* ---- products of matrices ---- */

/*
 * One tile of c: `rows` rows, `columns` columns of one panel, on top of bias, of c itself or of
 * nothing. Each call sums from zero, which keeps long sums of small terms exact to rounding.
 */
INLINE void NAME(tile)(int rows, int vectors, const float *a, int64_t row_step, int64_t step, const float *panel,
                       int64_t count, float *c, int64_t c_step, int64_t columns, const float *bias, int add)
{
    vec sums[ROWS][4];
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int v = 0; v < vectors; v++) {
            __builtin_prefetch(c + r * c_step + v * LANES, 1);
            sums[r][v] = (vec){0};
        }
    NAME(multiply)(rows, vectors, sums, a, row_step, step, panel, count);
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int v = 0; v < vectors; v++) {
            const float *base = add ? c + r * c_step : bias;
            if (base)
                sums[r][v] += NAME(load)(base + v * LANES, columns - v * LANES);
            NAME(store)(c + r * c_step + v * LANES, sums[r][v], columns - v * LANES);
        }
}

/* All rows against one panel. */
static TARGET void NAME(strip)(const float *a, int64_t row_step, int64_t step, const float *panel, int64_t count,
                               float *c, int64_t c_step, int64_t rows, int64_t columns, const float *bias, int add)
{
    for (int64_t r = 0; r < rows; r += ROWS, a += ROWS * row_step, c += ROWS * c_step) {
#define NARROW(n) NAME(tile)(n, 2, a, row_step, step, panel, count, c, c_step, columns, bias, add)
#define WIDE(n) NAME(tile)(n, 4, a, row_step, step, panel, count, c, c_step, columns, bias, add)
        if (columns <= 2 * LANES)
            WITH_ROWS(rows - r, NARROW)
        else
            WITH_ROWS(rows - r, WIDE)
#undef NARROW
#undef WIDE
    }
}

/*
 * c (rows, columns) = bias + a b, or c + a b. Of a (rows, inner) both strides are given. b comes as
 * panels `panel_step` floats apart, of which the first `inner` rows are used.
 */
TARGET int NAME(product)(const float *a, int64_t row_step, int64_t step, const float *panels, int64_t panel_step,
                         int64_t rows, int64_t inner, int64_t columns, float *c, int64_t c_step, const float *bias,
                         int64_t add)
{
    const int64_t high = 16 * ROWS; /* rows whose part of a stays in the cache under all panels */
    for (int64_t k = 0; k < inner; k += INNER)
        for (int64_t r = 0; r < rows; r += high)
            for (int64_t n = 0; n < columns; n += PANEL)
                NAME(strip)(a + r * row_step + k * step, row_step, step, panels + n / PANEL * panel_step + k * PANEL,
                           least(INNER, inner - k), c + r * c_step + n, c_step, least(high, rows - r),
                           least(PANEL, columns - n), bias ? bias + n : NULL, add || k > 0);
    return 0;
}

/* One block of b (count, PANEL or less) as a panel. */
static TARGET void NAME(make_panel)(const float *b, int64_t b_row, int64_t b_column, int64_t count, int64_t wide,
                                    float *panel)
{
    if (wide < PANEL)
        memset(panel, 0, (size_t)(count * PANEL) * sizeof(float));
    if (b_column == 1)
        for (int64_t k = 0; k < count; k++) {
            for (int64_t x = 0; x < PANEL; x += CACHE_LINE)
                __builtin_prefetch(b + k * b_row + PANEL + x); /* the next panel's */
            memcpy(panel + k * PANEL, b + k * b_row, (size_t)wide * sizeof(float));
        }
    else
        for (int64_t k0 = 0; k0 < count; k0 += 16)
            for (int64_t x = 0; x < wide; x++)
                for (int64_t k = k0; k < least(k0 + 16, count); k++)
                    panel[k * PANEL + x] = b[k * b_row + x * b_column];
}

/*
 * The same with b (inner, columns) as it lies in memory, with any strides; panels are made on the
 * way, and so is a copy of those columns of a that its own strides would scatter.
 */
TARGET int NAME(product_of)(const float *a, int64_t row_step, int64_t step, const float *b, int64_t b_row,
                            int64_t b_column, int64_t rows, int64_t inner, int64_t columns, float *c, int64_t c_step,
                            const float *bias)
{
    const int scattered = step != 1;
    float *panel = malloc(INNER * PANEL * sizeof(float));
    float *copy = scattered ? malloc((size_t)((rows + ROWS) * INNER) * sizeof(float)) : NULL;
    const int failed = !panel || (scattered && !copy);
    for (int64_t k = 0; k < inner && !failed; k += INNER) {
        const int64_t count = least(INNER, inner - k);
        for (int64_t i = 0; i < count && scattered; i++)
            for (int64_t r = 0; r < rows; r += ROWS)
                for (int64_t x = 0; x < least(ROWS, rows - r); x++)
                    copy[r * INNER + i * ROWS + x] = a[(r + x) * row_step + (k + i) * step];
        for (int64_t n = 0; n < columns; n += PANEL) {
            const int64_t wide = least(PANEL, columns - n);
            const float *start = bias ? bias + n : NULL;
            NAME(make_panel)(b + k * b_row + n * b_column, b_row, b_column, count, wide, panel);
            if (!scattered)
                NAME(strip)(a + k, row_step, 1, panel, count, c + n, c_step, rows, wide, start, k > 0);
            else
                for (int64_t r = 0; r < rows; r += ROWS)
                    NAME(strip)(copy + r * INNER, 1, ROWS, panel, count, c + r * c_step + n, c_step,
                                least(ROWS, rows - r), wide, start, k > 0);
        }
    }
    free(panel);
    free(copy);
    return failed;
}

/* ---- convolution: a sum of table look-ups, and max-pooling ---- */

/* table[block][group][symbols of the group][PANEL kernels] of weight (kernels, 4, length). */
TARGET int NAME(convolution_table)(const float *weight, int64_t kernels, int64_t length, float *table)
{
    const int64_t groups = (length + GROUP - 1) / GROUP;
    for (int64_t k = 0; k < kernels; k += PANEL)
        for (int64_t group = 0; group < groups; group++) {
            float weights[GROUP][SYMBOLS][PANEL] = {0};
            for (int64_t x = 0; x < least(PANEL, kernels - k); x++)
                for (int64_t q = 0; q < least(GROUP, length - group * GROUP); q++)
                    for (int64_t base = 0; base < 4; base++)
                        weights[q][base][x] = weight[((k + x) * 4 + base) * length + group * GROUP + q];
            for (int64_t i = 0; i < GROUP_SYMBOLS; i++, table += PANEL)
                for (int64_t v = 0; v < PANEL; v += LANES)
                    *(vec *)(table + v) = *(vec *)&weights[0][i / 125][v] + *(vec *)&weights[1][i / 25 % 5][v] +
                                          *(vec *)&weights[2][i / 5 % 5][v] + *(vec *)&weights[3][i % 5][v];
        }
    return 0;
}

/* The larger of four sums and, where `keep`, at which position they were found. */
INLINE void NAME(pool)(int keep, int64_t groups, const uint16_t *index, const float *table, int64_t positions,
                       vec best[4], ivec where[4])
{
    UNROLL for (int v = 0; v < 4; v++) {
        best[v] = (vec){0} - 3.4e38f;
        where[v] = (ivec){0};
    }
    for (int64_t p = 0; p < positions; p++) {
        const float *row = table;
        vec sums[4] = {{0}};
        _Pragma("GCC unroll 10") for (int64_t group = 0; group < groups; group++, row += GROUP_SYMBOLS * PANEL) {
            const float *found = row + (int64_t)index[p + GROUP * group] * PANEL;
            UNROLL for (int v = 0; v < 4; v++)
                sums[v] += *(const vec *)(found + v * LANES);
        }
        UNROLL for (int v = 0; v < 4; v++) {
            const ivec more = sums[v] > best[v];
            best[v] = NAME(choose)(more, sums[v], best[v]);
            if (keep)
                where[v] = (more & (int32_t)p) | (~more & where[v]);
        }
    }
}

/*
 * Pooled features (sequences, steps, kernels) of grouped codes (sequences, length): convolution,
 * maximum of `width` positions, bias, ReLU. Sequences are out_step floats apart in `out` and in
 * `where`, which keeps the position of each maximum unless it is NULL.
 */
TARGET int NAME(convolve)(const uint16_t *index, int64_t sequences, int64_t length, const float *table,
                          const float *bias, int64_t kernels, int64_t groups, int64_t steps, int64_t width,
                          float *out, uint16_t *where, int64_t out_step)
{
    for (int64_t k = 0; k < kernels; k += PANEL, table += groups * GROUP_SYMBOLS * PANEL)
        for (int64_t n = 0; n < sequences; n++)
            for (int64_t t = 0; t < steps; t++) {
                const uint16_t *from = index + n * length + t * width;
                const int64_t to = n * out_step + t * kernels + k;
                vec best[4];
                ivec at[4];
                if (groups == USUAL_GROUPS && where)
                    NAME(pool)(1, USUAL_GROUPS, from, table, width, best, at);
                else if (groups == USUAL_GROUPS)
                    NAME(pool)(0, USUAL_GROUPS, from, table, width, best, at);
                else
                    NAME(pool)(where != NULL, groups, from, table, width, best, at);
                UNROLL for (int v = 0; v < 4; v++) {
                    const int64_t first = k + v * LANES;
                    const vec active = best[v] + NAME(load)(bias + first, kernels - first);
                    NAME(store)(out + to + v * LANES, NAME(larger)(active, (vec){0}), kernels - first);
                    if (where && kernels - first >= LANES)
                        *(hvec *)(where + to + v * LANES) = __builtin_convertvector(at[v], hvec);
                    else
                        for (int64_t x = 0; where && x < kernels - first; x++)
                            where[to + v * LANES + x] = (uint16_t)at[v][x];
                }
            }
    return 0;
}

/* Add the gradients of one kernel's maxima to the table entries that their windows looked up. */
INLINE void NAME(scatter)(int64_t groups, const uint16_t *index, const float *values, const int32_t *positions,
                          int64_t count, float *table)
{
    for (int64_t i = 0; i < count; i++)
        if (values[i] != 0) {
            const uint16_t *at = index + positions[i];
            _Pragma("GCC unroll 10") for (int64_t group = 0; group < groups; group++)
                table[group * GROUP_SYMBOLS + at[group * GROUP]] += values[i];
        }
}

/* Gradients of one kernel (4, length) and its bias from those of its table entries. */
static TARGET void NAME(sum_entries)(const float *table, int64_t groups, int64_t length, float *kernel, float *bias)
{
    double total = 0;
    for (int64_t group = 0; group < groups; group++) {
        double sums[GROUP][SYMBOLS] = {{0}};
        for (int64_t i = 0; i < GROUP_SYMBOLS; i++) {
            const float value = *table++;
            sums[0][i / 125] += value;
            sums[1][i / 25 % 5] += value;
            sums[2][i / 5 % 5] += value;
            sums[3][i % 5] += value;
            total += group == 0 ? value : 0; /* each window looks each group up once */
        }
        for (int64_t q = 0; q < least(GROUP, length - group * GROUP); q++)
            for (int64_t base = 0; base < 4; base++)
                kernel[base * length + group * GROUP + q] = (float)sums[q][base];
    }
    *bias = (float)total;
}

/*
 * Gradients of weight (kernels, 4, length) and bias from those of `convolve`, for the kernels from
 * first to last: only a maximum above zero passes any on, and a one-hot window adds it to the
 * table entries it looked up, which are then summed base by base.
 */
TARGET int NAME(convolve_backward)(const uint16_t *index, int64_t sequences, int64_t length, const float *out,
                                   const float *gradient, const uint16_t *where, int64_t out_step, int64_t kernels,
                                   int64_t groups, int64_t steps, int64_t width, int64_t kernel_length,
                                   int64_t first, int64_t last, float *weight, float *bias)
{
    const int64_t entries = groups * GROUP_SYMBOLS;
    const int64_t most = SEQUENCES * steps; /* values at a time, put kernel by kernel */
    float *table = malloc((size_t)(entries * KERNELS) * sizeof(float));
    float *values = malloc((size_t)(most * KERNELS) * sizeof(float));
    int32_t *positions = malloc((size_t)(most * KERNELS) * sizeof(int32_t));
    const int failed = !table || !values || !positions;
    for (int64_t k = first; k < last && !failed; k += KERNELS) {
        const int64_t wide = least(KERNELS, last - k);
        memset(table, 0, (size_t)(entries * KERNELS) * sizeof(float));
        for (int64_t n = 0; n < sequences; n += SEQUENCES) {
            const int64_t count = least(SEQUENCES, sequences - n) * steps;
            for (int64_t i = 0; i < count; i++) {
                const int64_t from = (n + i / steps) * out_step + i % steps * kernels + k;
                const int32_t position = (int32_t)(i / steps * length + i % steps * width);
                for (int64_t x = 0; x < KERNELS; x += CACHE_LINE) {
                    __builtin_prefetch(out + from + AHEAD * kernels + x);
                    __builtin_prefetch(gradient + from + AHEAD * kernels + x);
                    __builtin_prefetch(where + from + AHEAD * kernels + x);
                }
                for (int64_t x = 0; x < wide; x++) {
                    values[x * most + i] = out[from + x] > 0 ? gradient[from + x] : 0;
                    positions[x * most + i] = position + where[from + x];
                }
            }
            for (int64_t x = 0; x < wide; x++) {
                const float *found = values + x * most;
                const int32_t *at = positions + x * most;
                if (groups == USUAL_GROUPS)
                    NAME(scatter)(USUAL_GROUPS, index + n * length, found, at, count, table + x * entries);
                else
                    NAME(scatter)(groups, index + n * length, found, at, count, table + x * entries);
            }
        }
        for (int64_t x = 0; x < wide; x++)
            NAME(sum_entries)(table + x * entries, groups, kernel_length, weight + (k + x) * 4 * kernel_length,
                              bias + k + x);
    }
    free(table);
    free(values);
    free(positions);
    return failed;
}

/* ---- the recurrence ---- */

/* The step of one row's LANES units from their gates; activations are kept where `kept` is given. */
INLINE vec NAME(squash)(const vec gates[4], float *cell, float *kept, int64_t units, int64_t wide)
{
    const vec in = 1.0f + NAME(exp_minus)(gates[0]), forget = 1.0f + NAME(exp_minus)(gates[1]);
    const vec drift = NAME(exp_minus)(gates[2] + gates[2]), out = 1.0f + NAME(exp_minus)(gates[3]);
    /* c = sigmoid(f) c + sigmoid(i) tanh(g) over one denominator; the factors stay below 2^41 */
    const vec both = in * (1.0f + drift);
    const vec c = (*(vec *)cell * both + (1.0f - drift) * forget) / (forget * both);
    const vec fade = NAME(exp_minus)(c + c);
    *(vec *)cell = c;
    if (kept) {
        NAME(store)(kept, 1.0f / in, wide);
        NAME(store)(kept + units, 1.0f / forget, wide);
        NAME(store)(kept + 2 * units, 2.0f / (1.0f + drift) - 1.0f, wide);
        NAME(store)(kept + 3 * units, 1.0f / out, wide);
    }
    return (1.0f - fade) / (out * (1.0f + fade));
}

/* One step of `rows` rows. */
INLINE void NAME(advance)(int rows, const recurrence *r, int64_t row, int64_t step, const float *before, float *after,
                          float *cell, int64_t stride)
{
    for (int64_t u = 0; u < r->units; u += LANES) {
        const int64_t wide = r->units - u;
        vec sums[ROWS][4];
        UNROLL for (int i = 0; i < rows; i++) {
            const float *gates = r->gates + r->gate_start[row + i] + step * r->gate_step + u;
            UNROLL for (int gate = 0; gate < 4; gate++)
                sums[i][gate] = NAME(load)(gates + gate * r->units, wide);
        }
        NAME(multiply)(rows, 4, sums, before, stride, 1, r->weights + u * 4 * r->units, r->units);
        UNROLL for (int i = 0; i < rows; i++) {
            float *gates = r->gates + r->gate_start[row + i] + step * r->gate_step + u;
            const int64_t to = r->state_start[row + i] + step * r->state_step + u;
            const vec h = NAME(squash)(sums[i], cell + i * stride + u, r->cells ? gates : NULL, r->units, wide);
            *(vec *)(after + i * stride + u) = h;
            NAME(store)(r->states + to, h, wide);
            if (r->cells)
                NAME(store)(r->cells + to, *(vec *)(cell + i * stride + u), wide);
        }
    }
}

/*
 * Rows from first to last through all steps. Weights: for each LANES units, `units` rows of a
 * panel, LANES units of each gate side by side. Where cells are kept, so are the activations, in
 * place of the gates.
 */
TARGET int NAME(recur)(const recurrence *r, int64_t first, int64_t last)
{
    const int64_t stride = (r->units + LANES - 1) / LANES * LANES;
    float *scratch = calloc((size_t)(3 * ROWS * stride), sizeof(float));
    if (!scratch)
        return 1;
    float *before = scratch, *after = scratch + ROWS * stride, *cell = scratch + 2 * ROWS * stride;
    for (int64_t row = first; row < last; row += ROWS) {
        const int64_t rows = least(ROWS, last - row), size = r->units * (int64_t)sizeof(float);
        for (int64_t i = 0; i < rows; i++) {
            memcpy(before + i * stride, r->hidden + (row + i) * r->units, (size_t)size);
            memcpy(cell + i * stride, r->cell + (row + i) * r->units, (size_t)size);
        }
        for (int64_t step = 0; step < r->steps; step++) {
#define ADVANCE(n) NAME(advance)(n, r, row, step, before, after, cell, stride)
            WITH_ROWS(rows, ADVANCE)
#undef ADVANCE
            float *swap = before;
            before = after;
            after = swap;
        }
        for (int64_t i = 0; i < rows; i++) {
            memcpy(r->hidden + (row + i) * r->units, before + i * stride, (size_t)size);
            memcpy(r->cell + (row + i) * r->units, cell + i * stride, (size_t)size);
        }
    }
    free(scratch);
    return 0;
}

/*
 * Gradients of the gate inputs, in place of the activations, from those of the states (in
 * `states`, addressed as before); rows from first to last. Weights: panels of (4 units, units).
 */
TARGET int NAME(recur_backward)(const recurrence *r, int64_t first, int64_t last)
{
    const int64_t units = r->units, stride = (units + PANEL - 1) / PANEL * PANEL;
    float *scratch = malloc((size_t)(6 * ROWS * stride) * sizeof(float));
    if (!scratch)
        return 1;
    float *hidden = scratch, *cell = scratch + ROWS * stride, *gates = scratch + 2 * ROWS * stride;
    for (int64_t row = first; row < last; row += ROWS) {
        const int64_t rows = least(ROWS, last - row);
        memset(scratch, 0, (size_t)(2 * ROWS * stride) * sizeof(float));
        for (int64_t step = r->steps - 1; step >= 0; step--) {
            for (int64_t i = 0; i < rows; i++)
                for (int64_t u = 0; u < units; u += LANES) {
                    const int64_t wide = units - u, at = r->state_start[row + i] + step * r->state_step + u;
                    float *kept = r->gates + r->gate_start[row + i] + step * r->gate_step + u;
                    const vec in = NAME(load)(kept, wide), forget = NAME(load)(kept + units, wide);
                    const vec candidate = NAME(load)(kept + 2 * units, wide), out = NAME(load)(kept + 3 * units, wide);
                    const vec squashed = NAME(tanh)(NAME(load)(r->cells + at, wide));
                    const vec previous = step ? NAME(load)(r->cells + at - r->state_step, wide) : (vec){0};
                    const vec dh = *(vec *)(hidden + i * stride + u) + NAME(load)(r->states + at, wide);
                    const vec dc = *(vec *)(cell + i * stride + u) + dh * out * (1.0f - squashed * squashed);
                    const vec changes[4] = {dc * candidate * in * (1.0f - in), dc * previous * forget * (1.0f - forget),
                                            dc * in * (1.0f - candidate * candidate),
                                            dh * squashed * out * (1.0f - out)};
                    *(vec *)(cell + i * stride + u) = dc * forget;
                    for (int gate = 0; gate < 4; gate++) {
                        NAME(store)(kept + gate * units, changes[gate], wide);
                        NAME(store)(gates + (i * 4 + gate) * units + u, changes[gate], wide);
                    }
                }
            for (int64_t u = 0; u < units && step; u += PANEL) {
#define CARRY(n) \
    NAME(tile)(n, 4, gates, 4 * units, 1, r->weights + u * 4 * units, 4 * units, hidden + u, stride, PANEL, NULL, 0)
                WITH_ROWS(rows, CARRY)
#undef CARRY
            }
        }
    }
    free(scratch);
    return 0;
}

/* ---- batch normalisation with dropout behind it ---- */

/* All bits set where a value is kept. */
INLINE ivec NAME(kept)(uint32_t seed, uint32_t threshold, int64_t column)
{
    uvec z = {0};
    for (int lane = 0; lane < LANES; lane++)
        z[lane] = (uint32_t)(column + lane);
    z = z * 0x9E3779B9u + seed;
    z = (z ^ (z >> 16)) * 0x7FEB352Du;
    z = (z ^ (z >> 15)) * 0x846CA68Bu;
    return (z ^ (z >> 16)) >= threshold;
}

/* Sums over rows of x - shift and of its square, added in double every 64 rows. */
TARGET int NAME(column_moments)(const float *x, int64_t rows, int64_t columns, const float *shift, double *sums)
{
    for (int64_t r0 = 0; r0 < rows; r0 += 64)
        for (int64_t c = 0; c < columns; c += LANES) {
            const int64_t wide = columns - c;
            const vec middle = NAME(load)(shift + c, wide);
            vec first = {0}, second = {0};
            for (int64_t r = r0; r < least(r0 + 64, rows); r++) {
                const vec apart = NAME(load)(x + r * columns + c, wide) - middle;
                first += apart;
                second += apart * apart;
            }
            for (int64_t lane = 0; lane < least(LANES, wide); lane++) {
                sums[c + lane] += first[lane];
                sums[columns + c + lane] += second[lane];
            }
        }
    return 0;
}

/* out = x * scale + offset, or zero where dropped; row r of x is row first + r of the whole. */
TARGET int NAME(normalise)(const float *x, int64_t first, int64_t rows, int64_t columns, const float *scale,
                           const float *offset, const dropout *drop, float *out)
{
    for (int64_t r = 0; r < rows; r++, x += columns, out += columns) {
        const uint32_t seed = row_seed(drop->seed, (uint64_t)(first + r));
        for (int64_t c = 0; c < columns; c += LANES) {
            const int64_t wide = columns - c;
            vec y = NAME(load)(x + c, wide) * NAME(load)(scale + c, wide) + NAME(load)(offset + c, wide);
            if (drop->threshold)
                y = (vec)(NAME(kept)(seed, drop->threshold, c) & (ivec)y);
            NAME(store)(out + c, y, wide);
        }
    }
    return 0;
}

/* kept = the gradient with dropped values at zero; sums over rows of it and of it times x - mean. */
TARGET int NAME(normalise_moments)(const float *gradient, const float *x, int64_t first, int64_t rows, int64_t columns,
                                   const float *mean, const dropout *drop, float *kept, double *sums)
{
    for (int64_t r0 = 0; r0 < rows; r0 += 64)
        for (int64_t c = 0; c < columns; c += LANES) {
            const int64_t wide = columns - c;
            const vec middle = NAME(load)(mean + c, wide);
            vec once = {0}, product = {0};
            for (int64_t r = r0; r < least(r0 + 64, rows); r++) {
                vec g = NAME(load)(gradient + r * columns + c, wide);
                if (drop->threshold)
                    g = (vec)(NAME(kept)(row_seed(drop->seed, (uint64_t)(first + r)), drop->threshold, c) & (ivec)g);
                NAME(store)(kept + r * columns + c, g, wide);
                once += g;
                product += g * (NAME(load)(x + r * columns + c, wide) - middle);
            }
            for (int64_t lane = 0; lane < least(LANES, wide); lane++) {
                sums[c + lane] += once[lane];
                sums[columns + c + lane] += product[lane];
            }
        }
    return 0;
}

/* gradient = gradient * scale - constant - (x - mean) * slope, in place. */
TARGET int NAME(normalise_backward)(float *gradient, const float *x, int64_t rows, int64_t columns, const float *mean,
                                    const float *scale, const float *constant, const float *slope)
{
    for (int64_t r = 0; r < rows; r++, x += columns, gradient += columns)
        for (int64_t c = 0; c < columns; c += LANES) {
            const int64_t wide = columns - c;
            const vec apart = NAME(load)(x + c, wide) - NAME(load)(mean + c, wide);
            const vec g = NAME(load)(gradient + c, wide) * NAME(load)(scale + c, wide) -
                          NAME(load)(constant + c, wide) - apart * NAME(load)(slope + c, wide);
            NAME(store)(gradient + c, g, wide);
        }
    return 0;
}

#undef PANEL
#undef INLINE
#undef UNROLL
#undef WITH_ROWS
#undef vec
#undef ivec
#undef uvec
#undef hvec
#undef KIND
#undef TARGET
#undef LANES
#undef ROWS
