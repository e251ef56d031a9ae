// Matrix products with a packed right side, and the sum of outer products that weight gradients are.
#pragma once

#include <type_traits>
#include <vector>

#include "vectors.h"

constexpr int PANEL_VECTORS = 4;                    // so many vectors of the result's columns are worked on at once
constexpr int PANEL = PANEL_VECTORS * LANES;
constexpr int DEPTH_BLOCK = 256;                    // tokens of a weight gradient that are packed at once

inline int64_t padded(int64_t count, int64_t multiple) { return (count + multiple - 1) / multiple * multiple; }

// out = even[0], odd[0], even[1], odd[1] ... of LANES numbers each.
template <class Stored>
inline void zip(const Stored* even, const Stored* odd, Stored* out) {
    for (int c = 0; c < LANES; c++) {
        out[2 * c] = even[c];
        out[2 * c + 1] = odd[c];
    }
}
#if HAS_BFLOAT16
inline void zip(const Bfloat16* even, const Bfloat16* odd, Bfloat16* out) {
    __m512i low = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(even)));
    __m512i high = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(odd)));
    _mm512_storeu_si512(out, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
}
#endif

// Round LANES numbers along the depth of one column and put each DEPTH of them to `to`, `stride` numbers apart.
template <class Stored>
inline void scatter(const SumOf<Stored>* from, Stored* to, int64_t stride) {
    constexpr int DEPTH = Kind<Stored>::DEPTH;
    Stored rounded[LANES];
    store(rounded, load(from));
    for (int k = 0; k < LANES; k += DEPTH, to += stride) std::memcpy(to, rounded + k, DEPTH * sizeof(Stored));
}

// Pack a (depth, columns) matrix for `product`: panels of PANEL columns; within one [k / DEPTH][column][k % DEPTH]. Both are
// multiples of 16. Element (k, c) stands at from[k * stride + c], or at from[c * stride + k] if `transposed`.
template <class Stored>
void pack(const SumOf<Stored>* from, int64_t stride, bool transposed, int64_t depth, int64_t columns, Stored* to) {
    constexpr int DEPTH = Kind<Stored>::DEPTH;
    for (int64_t first = 0; first < columns; first += PANEL) {
        int64_t width = std::min<int64_t>(PANEL, columns - first);
        for (int64_t c = 0; c < width; c += LANES)
            if (transposed) {
                for (int64_t k = 0; k < depth; k += LANES)
                    for (int64_t lane = 0; lane < LANES; lane++)
                        scatter(from + (first + c + lane) * stride + k, to + k * width + (c + lane) * DEPTH, width * DEPTH);
            } else {
                for (int64_t k = 0; k < depth; k += DEPTH) {
                    Stored rounded[2][LANES];
                    for (int d = 0; d < DEPTH; d++) store(rounded[d], load(from + (k + d) * stride + first + c));
                    if constexpr (DEPTH == 2)
                        zip(rounded[0], rounded[1], to + k * width + c * DEPTH);
                    else
                        std::memcpy(to + k * width + c, rounded[0], sizeof rounded[0]);
                }
            }
        to += depth * width;
    }
}

// One register tile: `rows` <= ROWS rows of the left side times VECTORS * LANES packed columns. The left side's DEPTH
// numbers of row i and depth k stand at left[i * left_stride + k / DEPTH * depth_stride].
// start(row, vector) gives what each sum starts from; take(row, vector, sum) takes each result.
template <int ROWS, int VECTORS, class Stored, class Start, class Take>
inline void tile(const Stored* left, int64_t left_stride, int64_t depth_stride, int64_t rows, int64_t depth,
                 const Stored* panel, Start start, Take take) {
    constexpr int DEPTH = Kind<Stored>::DEPTH;
    const Stored* a[ROWS];
    Vector<Stored> sums[ROWS][VECTORS];
    for (int i = 0; i < ROWS; i++) {
        a[i] = left + std::min<int64_t>(i, rows - 1) * left_stride;  // a tile at the edge computes its last row again
        for (int v = 0; v < VECTORS; v++) sums[i][v] = start(std::min<int64_t>(i, rows - 1), v);
    }
    for (int64_t k = 0, at = 0; k < depth; k += DEPTH, at += depth_stride, panel += VECTORS * LANES * DEPTH)
        for (int i = 0; i < ROWS; i++)
            for (int v = 0; v < VECTORS; v++)
                sums[i][v] = multiply_add(sums[i][v], a[i] + at, panel + v * LANES * DEPTH);
    for (int i = 0; i < ROWS && i < rows; i++)
        for (int v = 0; v < VECTORS; v++) take(i, v, sums[i][v]);
}

// Call `body` with the number of vectors, 1 to PANEL_VECTORS, as a constant.
template <class Body>
inline void with_vectors(int64_t vectors, Body body) {
    switch (vectors) {
        case 1: return body(std::integral_constant<int, 1>());
        case 2: return body(std::integral_constant<int, 2>());
        case 3: return body(std::integral_constant<int, 3>());
        default: return body(std::integral_constant<int, PANEL_VECTORS>());
    }
}

// result (rows, columns) = left (rows, depth) x packed (depth, columns) [+ bias] [+ result].
// depth must be a multiple of DEPTH, columns one of 16.
template <class Stored>
void product(const Stored* left, int64_t left_stride, int64_t rows, int64_t depth, const Stored* packed,
             int64_t columns, const SumOf<Stored>* bias, bool accumulate, Stored* result, int64_t result_stride,
             int threads) {
    constexpr int DEPTH = Kind<Stored>::DEPTH;
    constexpr int64_t ROWS_PER_TASK = 16 * PRODUCT_ROWS;
    int64_t tasks = (rows + ROWS_PER_TASK - 1) / ROWS_PER_TASK;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t task = 0; task < tasks; task++) {
        int64_t from = task * ROWS_PER_TASK, until = std::min(rows, from + ROWS_PER_TASK);
        const Stored* panel = packed;
        for (int64_t first = 0; first < columns; first += PANEL) {
            int64_t vectors = std::min<int64_t>(PANEL_VECTORS, (columns - first) / LANES);
            with_vectors(vectors, [&](auto constant) {
                constexpr int VECTORS = decltype(constant)::value;
                for (int64_t row = from; row < until; row += PRODUCT_ROWS) {
                    Stored* out = result + row * result_stride + first;
                    tile<PRODUCT_ROWS, VECTORS>(
                        left + row * left_stride, left_stride, DEPTH, until - row, depth, panel,
                        [&](int64_t i, int v) {
                            Vector<Stored> sum = bias ? load(bias + first + v * LANES) : Vector<Stored>{};
                            return accumulate ? sum + load(out + i * result_stride + v * LANES) : sum;
                        },
                        [&](int i, int v, Vector<Stored> sum) { store(out + i * result_stride + v * LANES, sum); });
                }
            });
            panel += vectors * LANES * depth;
        }
    }
}

// Pack `count` rows of a (tokens, width) matrix for a sum over tokens, group by group of GROUP columns:
// [group][token / DEPTH][column][token % DEPTH]. The last group may be narrower.
template <int GROUP, class Stored>
inline void interleave(const Stored* from, int64_t stride, int64_t count, int64_t width, Stored* to) {
    constexpr int DEPTH = Kind<Stored>::DEPTH;
    const int64_t depth = padded(count, DEPTH);
    std::vector<Stored> pairs(width * DEPTH), zeros(width, Stored{});
    for (int64_t k = 0; k < count; k += DEPTH) {
        const Stored* rows = from + k * stride;
        if constexpr (DEPTH == 2) {
            const Stored* odd = k + 1 < count ? rows + stride : zeros.data();
            for (int64_t c = 0; c < width; c += LANES) zip(rows + c, odd + c, pairs.data() + 2 * c);
            rows = pairs.data();
        }
        int64_t first = 0;
        for (; first + GROUP <= width; first += GROUP)  // copies of a length that the compiler knows are fast
            std::memcpy(to + first * depth + k * GROUP, rows + first * DEPTH, GROUP * DEPTH * sizeof(Stored));
        if (first < width)
            std::memcpy(to + first * depth + k * (width - first), rows + first * DEPTH,
                        (width - first) * DEPTH * sizeof(Stored));
    }
}

// Rows of a matrix that will be wanted soon, fetched into the cache a few lines at a time between other work.
struct Prefetch {
    const char *row, *column;
    int64_t stride, width, rows_left, lines_at_once;

    template <class Stored>
    Prefetch(const Stored* from, int64_t row_stride, int64_t columns, int64_t rows, int64_t times)
        : row(reinterpret_cast<const char*>(from)), column(row), stride(row_stride * sizeof(Stored)),
          width(columns * sizeof(Stored)), rows_left(rows), lines_at_once((rows * width / 64 + times) / times) {}

    void fetch_some() {
        for (int64_t line = 0; line < lines_at_once && rows_left > 0; line++) {
            __builtin_prefetch(column, 0, 2);
            if ((column += 64) >= row + width) {
                column = row += stride;
                rows_left--;
            }
        }
    }
};

// result (m, n) = sum over tokens of outer(left[token, :m], right[token, :n]); m and n multiples of 16, results in Sum.
// Every sum runs over the tokens in order, whatever the number of threads.
template <class Stored>
void sum_of_outer_products(const Stored* left, int64_t left_stride, int64_t m, const Stored* right,
                           int64_t right_stride, int64_t n, int64_t tokens, SumOf<Stored>* result, int threads) {
    constexpr int DEPTH = Kind<Stored>::DEPTH;
    const int64_t rows_per_task = padded((m + threads - 1) / threads, LANES);
    int64_t tasks = (m + rows_per_task - 1) / rows_per_task;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t task = 0; task < tasks; task++) {
        int64_t from = task * rows_per_task, height = std::min(m - from, rows_per_task);
        std::vector<Stored> lefts(DEPTH_BLOCK * height), rights(DEPTH_BLOCK * n);
        SumOf<Stored>* out = result + from * n;
        std::fill(out, out + height * n, SumOf<Stored>(0));
        for (int64_t token = 0; token < tokens; token += DEPTH_BLOCK) {
            int64_t count = std::min<int64_t>(DEPTH_BLOCK, tokens - token), depth = padded(count, DEPTH);
            Prefetch coming(left + (token + count) * left_stride + from, left_stride, height,
                            std::min<int64_t>(DEPTH_BLOCK, tokens - token - count),
                            (height + PRODUCT_ROWS - 1) / PRODUCT_ROWS * ((n + PANEL - 1) / PANEL));
            interleave<PRODUCT_ROWS>(left + token * left_stride + from, left_stride, count, height, lefts.data());
            interleave<PANEL>(right + token * right_stride, right_stride, count, n, rights.data());
            for (int64_t first = 0; first < n; first += PANEL)
                with_vectors(std::min<int64_t>(PANEL_VECTORS, (n - first) / LANES), [&](auto constant) {
                    constexpr int VECTORS = decltype(constant)::value;
                    for (int64_t row = 0; row < height; row += PRODUCT_ROWS) {
                        int64_t rows = std::min<int64_t>(PRODUCT_ROWS, height - row);
                        coming.fetch_some();
                        SumOf<Stored>* block = out + row * n + first;
                        tile<PRODUCT_ROWS, VECTORS>(
                            lefts.data() + row * depth, DEPTH, rows * DEPTH, rows, depth, rights.data() + first * depth,
                            [&](int64_t i, int v) { return load(block + i * n + v * LANES); },
                            [&](int i, int v, Vector<Stored> sum) { store(block + i * n + v * LANES, sum); });
                    }
                });
        }
    }
}

// sums[c] = sum over the rows, in order, of from[row, c]; columns a multiple of 16.
template <class Stored>
void column_sums(const Stored* from, int64_t stride, int64_t rows, int64_t columns, SumOf<Stored>* sums, int threads) {
    int64_t blocks = (columns + PANEL - 1) / PANEL;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t block = 0; block < blocks; block++)
        with_vectors(std::min<int64_t>(PANEL_VECTORS, (columns - block * PANEL) / LANES), [&](auto constant) {
            constexpr int VECTORS = decltype(constant)::value;
            Vector<Stored> totals[VECTORS] = {};
            const Stored* at = from + block * PANEL;
            for (int64_t row = 0; row < rows; row++, at += stride)
                for (int v = 0; v < VECTORS; v++) totals[v] = totals[v] + load(at + v * LANES);
            for (int v = 0; v < VECTORS; v++) store(sums + block * PANEL + v * LANES, totals[v]);
        });
}
