// The forward recurrence with its product in eight bits, for scoring.
//
// A state lies between -1 and 1, so it is rounded to 1/127 and moved to 1...255; a weight is rounded to 1/127 of the
// largest in its column. Products and sums are exact integers. The state itself, the gates and everything else stay as
// they are in recurrence.h, so that rounding does not build up over time.
#pragma once

#include "recurrence.h"

#if HAS_BFLOAT16 && defined(__AVX512VNNI__)
#define HAS_INT8 1
#else
#define HAS_INT8 0
#endif

constexpr int BYTES = 4;           // numbers that one multiplication takes from each row
constexpr float LEVELS = 127.0f;

// What the sums of one direction need: the packed bytes, and for each column the factor and the constant that turn a sum of
// products into the recurrent share, biases of q included.
struct RecurrentBytes {
    const int8_t* weights;  // [unit / 16][k / 4][gate][unit][k]
    const float* factors;   // (3 hidden,)
    const float* constants; // (3 hidden,)
};

inline void pack_recurrent_bytes(const float* weights, const float* bias, int64_t hidden, int8_t* to, float* factors,
                                 float* constants) {
    std::vector<float> inverse(3 * hidden);
    for (int64_t column = 0; column < 3 * hidden; column++) {
        float largest = 1e-20f, sum = 0;
        for (int64_t k = 0; k < hidden; k++) largest = std::max(largest, std::fabs(weights[column * hidden + k]));
        inverse[column] = LEVELS / largest;
        for (int64_t k = 0; k < hidden; k++) sum += std::nearbyint(weights[column * hidden + k] * inverse[column]);
        factors[column] = largest / (LEVELS * LEVELS);
        constants[column] = -128.0f * sum * factors[column] + (column < 2 * hidden ? 0.0f : bias[column - 2 * hidden]);
    }
    for (int64_t first = 0; first < hidden; first += LANES)
        for (int64_t k = 0; k < hidden; k += BYTES)
            for (int64_t gate = 0; gate < 3; gate++)
                for (int64_t unit = first; unit < first + LANES; unit++)
                    for (int64_t b = k; b < k + BYTES; b++) {
                        int64_t column = gate * hidden + unit;
                        *to++ = int8_t(std::nearbyint(weights[column * hidden + b] * inverse[column]));
                    }
}

#if HAS_INT8
typedef int32_t Integers __attribute__((vector_size(64)));  // not __m512i, which may alias anything and so leaves registers

// sum + products of 4 unsigned and 4 signed bytes in each of 16 places.
inline Integers multiply_add(Integers sum, Integers unsigned_bytes, Integers signed_bytes) {
    return Integers(_mm512_dpbusd_epi32(__m512i(sum), __m512i(unsigned_bytes), __m512i(signed_bytes)));
}

struct ByteProduct {
    using Operand = uint8_t;
    RecurrentBytes packed;
    int64_t hidden;

    static void round(uint8_t* to, Floats state) {
        __m512i level = _mm512_add_epi32(_mm512_cvtps_epi32(__m512(state * LEVELS)), _mm512_set1_epi32(128));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtusepi32_epi8(level));
    }

    void operator()(const uint8_t* operand, int64_t rows, int64_t unit, float (*out)[3][LANES]) const {
        const int8_t* panel = packed.weights + 3 * unit * hidden;
        const uint8_t* a[TILE_ROWS];
        Integers sums[TILE_ROWS][3];
#pragma GCC unroll 8
        for (int i = 0; i < TILE_ROWS; i++) {
            a[i] = operand + std::min<int64_t>(i, rows - 1) * hidden;
            sums[i][0] = sums[i][1] = sums[i][2] = Integers{};
        }
        for (int64_t k = 0; k < hidden; k += BYTES, panel += 3 * LANES * BYTES) {
            Integers w[3];
#pragma GCC unroll 3
            for (int gate = 0; gate < 3; gate++) std::memcpy(&w[gate], panel + gate * LANES * BYTES, sizeof w[gate]);
#pragma GCC unroll 8
            for (int i = 0; i < TILE_ROWS; i++) {
                int32_t four;
                std::memcpy(&four, a[i] + k, sizeof four);
#pragma GCC unroll 3
                for (int gate = 0; gate < 3; gate++)
                    sums[i][gate] = multiply_add(sums[i][gate], four - Integers{}, w[gate]);
            }
        }
        Floats factors[3], constants[3];
        for (int gate = 0; gate < 3; gate++) {
            factors[gate] = load(packed.factors + gate * hidden + unit);
            constants[gate] = load(packed.constants + gate * hidden + unit);
        }
#pragma GCC unroll 8
        for (int i = 0; i < TILE_ROWS; i++)
#pragma GCC unroll 3
            for (int gate = 0; gate < 3; gate++)
                store(out[i][gate], Floats(_mm512_cvtepi32_ps(__m512i(sums[i][gate]))) * factors[gate] + constants[gate]);
    }
};
#endif
