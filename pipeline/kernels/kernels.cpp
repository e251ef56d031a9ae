// The C interface of the kernels, one function for each kind of stored number: NAME_bfloat16, NAME_float, NAME_double.
// Called through ctypes by pipeline/kernel_library.py, which compiles this file.

#include <type_traits>

#include "chunks.h"
#include "embedding.h"
#include "pooling.h"
#include "product.h"
#include "schedule.h"

extern "C" {
// Without these instructions the compiler's vectors are slower than torch.
#if defined(__AVX2__) && defined(__FMA__)
int32_t kernels_are_fast() { return 1; }
#else
int32_t kernels_are_fast() { return 0; }
#endif
int32_t kernels_have_bfloat16() { return HAS_BFLOAT16; }
int32_t kernels_have_int8() { return HAS_INT8; }
void pack_recurrent_bytes_bfloat16(const float* weights, const float* bias, int64_t hidden, int8_t* to, float* factors,
                                   float* constants) {
    pack_recurrent_bytes(weights, bias, hidden, to, factors, constants);
}
}

#define INTERFACE(NAME, STORED)                                                                                        \
    extern "C" {                                                                                                       \
    void pack_##NAME(const SumOf<STORED>* from, int64_t stride, int32_t transposed, int64_t depth, int64_t columns,    \
                     STORED* to) {                                                                                     \
        pack<STORED>(from, stride, transposed, depth, columns, to);                                                    \
    }                                                                                                                  \
    void pack_recurrent_##NAME(const SumOf<STORED>* weights, int64_t hidden, STORED* to) {                             \
        pack_recurrent<STORED>(weights, hidden, to);                                                                   \
    }                                                                                                                  \
    void product_##NAME(const STORED* left, int64_t left_stride, int64_t rows, int64_t depth, const STORED* packed,    \
                        int64_t columns, const SumOf<STORED>* bias, int32_t accumulate, STORED* result,                \
                        int64_t result_stride, int32_t threads) {                                                      \
        product<STORED>(left, left_stride, rows, depth, packed, columns, bias, accumulate, result, result_stride,      \
                        threads);                                                                                      \
    }                                                                                                                  \
    void sum_of_outer_products_##NAME(const STORED* left, int64_t left_stride, int64_t m, const STORED* right,         \
                                      int64_t right_stride, int64_t n, int64_t tokens, SumOf<STORED>* result,          \
                                      int32_t threads) {                                                               \
        sum_of_outer_products<STORED>(left, left_stride, m, right, right_stride, n, tokens, result, threads);          \
    }                                                                                                                  \
    void column_sums_##NAME(const STORED* from, int64_t stride, int64_t rows, int64_t columns, SumOf<STORED>* sums,   \
                            int32_t threads) {                                                                         \
        column_sums<STORED>(from, stride, rows, columns, sums, threads);                                               \
    }                                                                                                                  \
    void recurrence_##NAME(const Batch* batch, const Direction* directions, int32_t count, int64_t hidden,             \
                           int32_t backward, int64_t rows_per_task, int32_t threads) {                                 \
        run_recurrence<STORED>(*batch, directions, count, hidden, backward, rows_per_task, threads);                   \
    }                                                                                                                  \
    void pool_##NAME(const Batch* batch, const Pooling* pooling, int32_t threads) {                                    \
        pool<STORED>(*batch, *pooling, threads);                                                                       \
    }                                                                                                                  \
    void pool_backward_##NAME(const Batch* batch, const Pooling* pooling, int32_t threads) {                           \
        pool_backward<STORED>(*batch, *pooling, threads);                                                              \
    }                                                                                                                  \
    void embed_##NAME(const SumOf<STORED>* table, int64_t size, const int32_t* rows, int64_t tokens,                   \
                      const uint8_t* random, int32_t dropped, STORED* out, int64_t out_stride, int32_t threads) {      \
        embed<STORED>(table, size, rows, tokens, random, dropped, out, out_stride, threads);                           \
    }                                                                                                                  \
    void embed_backward_##NAME(const STORED* gradients, int64_t stride, int64_t size, const int32_t* order,            \
                               const int32_t* first, int64_t rows, const uint8_t* random, int32_t dropped,             \
                               SumOf<STORED>* out, int32_t threads) {                                                  \
        embed_backward<STORED>(gradients, stride, size, order, first, rows, random, dropped, out, threads);            \
    }                                                                                                                  \
    }

#if HAS_BFLOAT16
INTERFACE(bfloat16, Bfloat16)
#endif
INTERFACE(float, float)
INTERFACE(double, double)
