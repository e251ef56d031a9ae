// Embeddings of a batch's tokens with dropout, and the gradients of the rows that were seen.
#pragma once

#include "vectors.h"

// out[token] = table[rows[token]] * scale where random[token, k] >= dropped, else 0; columns beyond `size` are zeros.
template <class Stored>
void embed(const SumOf<Stored>* table, int64_t size, const int32_t* rows, int64_t tokens, const uint8_t* random,
           int32_t dropped, Stored* out, int64_t out_stride, int threads) {
    using Sum = SumOf<Stored>;
    const Sum scale = Sum(256) / Sum(256 - dropped);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t token = 0; token < tokens; token++) {
        const Sum* from = table + rows[token] * size;
        const uint8_t* draw = random + token * size;
        Stored* to = out + token * out_stride;
        for (int64_t k = 0; k < size; k++) narrow(!dropped || draw[k] >= dropped ? from[k] * scale : Sum(0), to + k);
        for (int64_t k = size; k < out_stride; k++) narrow(Sum(0), to + k);
    }
}

// gradient[u] = sum over the tokens of row u, in order, of their masked gradients. order[first[u]...first[u + 1]) are
// the tokens of row u.
template <class Stored>
void embed_backward(const Stored* gradients, int64_t stride, int64_t size, const int32_t* order, const int32_t* first,
                    int64_t rows, const uint8_t* random, int32_t dropped, SumOf<Stored>* out, int threads) {
    using Sum = SumOf<Stored>;
    const Sum scale = Sum(256) / Sum(256 - dropped);
#pragma omp parallel for num_threads(threads) schedule(dynamic, 16)
    for (int64_t row = 0; row < rows; row++) {
        Sum* to = out + row * size;
        std::fill(to, to + size, Sum(0));
        for (int32_t i = first[row]; i < first[row + 1]; i++) {
            const Stored* from = gradients + order[i] * stride;
            const uint8_t* draw = random + order[i] * size;
            for (int64_t k = 0; k < size; k++) to[k] += !dropped || draw[k] >= dropped ? widen(from[k]) * scale : Sum(0);
        }
    }
}
