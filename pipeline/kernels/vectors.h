// Vectors of numbers: the arithmetic that the kernels share, for three kinds of stored number.
//
// Stored numbers are bfloat16 (where the processor multiplies it), float or double (for tests). Sums, states and
// non-linearities are kept in the wider `Sum`. Only bfloat16 needs intrinsics; the rest are the compiler's own vectors,
// so that any GCC or Clang builds it for its machine.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#if defined(__AVX512BF16__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#define HAS_BFLOAT16 1
#else
#define HAS_BFLOAT16 0
#endif

// Numbers that are worked on at once. The sizes of networks are multiples of 16, whatever it is.
#if defined(__AVX512F__)
constexpr int LANES = 16;
#else
constexpr int LANES = 8;
#endif

// Rows of a register tile: as many sums as the vector registers hold, with room for the operands.
#if defined(__AVX512F__)
constexpr int TILE_ROWS = 8, PRODUCT_ROWS = 6;
#else
constexpr int TILE_ROWS = 4, PRODUCT_ROWS = 3;
#endif

struct Bfloat16 {
    uint16_t bits;
};

template <class Stored>
struct Kind;  // Sum: the number sums are kept in; DEPTH: stored numbers that one multiplication takes from each row

template <>
struct Kind<Bfloat16> {
    using Sum = float;
    static constexpr int DEPTH = 2;
};
template <>
struct Kind<float> {
    using Sum = float;
    static constexpr int DEPTH = 1;
};
template <>
struct Kind<double> {
    using Sum = double;
    static constexpr int DEPTH = 1;
};

template <class Number>
struct VectorOf;
template <>
struct VectorOf<float> {
    typedef float type __attribute__((vector_size(LANES * sizeof(float))));
    typedef int32_t bits __attribute__((vector_size(LANES * sizeof(float))));
};
template <>
struct VectorOf<double> {
    typedef double type __attribute__((vector_size(LANES * sizeof(double))));
};

template <class Stored>
using SumOf = typename Kind<Stored>::Sum;
template <class Stored>
using Vector = typename VectorOf<SumOf<Stored>>::type;

using Floats = VectorOf<float>::type;
using Doubles = VectorOf<double>::type;

template <class Sum>
inline typename VectorOf<Sum>::type spread(Sum value) {
    return value - typename VectorOf<Sum>::type{};
}

// ------------------------------------------------------------------------------------------ memory <-> registers

// Vectors as they stand in memory: anywhere, among numbers. (Through memcpy, GCC 12 copies half a vector at a time.)
typedef float FloatsInMemory __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));
typedef double DoublesInMemory __attribute__((vector_size(LANES * sizeof(double)), aligned(8), may_alias));

inline Floats load(const float* from) { return Floats(*reinterpret_cast<const FloatsInMemory*>(from)); }
inline Doubles load(const double* from) { return Doubles(*reinterpret_cast<const DoublesInMemory*>(from)); }
inline void store(float* to, Floats values) { *reinterpret_cast<FloatsInMemory*>(to) = FloatsInMemory(values); }
inline void store(double* to, Doubles values) { *reinterpret_cast<DoublesInMemory*>(to) = DoublesInMemory(values); }

inline float widen(Bfloat16 value) {
    uint32_t bits = uint32_t(value.bits) << 16;
    float number;
    std::memcpy(&number, &bits, sizeof number);
    return number;
}
inline float widen(float value) { return value; }
inline double widen(double value) { return value; }

inline void narrow(float value, Bfloat16* to) {  // to nearest, ties to even
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    to->bits = value != value ? 0x7fc0 : uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}
inline void narrow(float value, float* to) { *to = value; }
inline void narrow(double value, double* to) { *to = value; }

#if HAS_BFLOAT16
inline Floats load(const Bfloat16* from) {
    __m512i bits = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
    return Floats(_mm512_castsi512_ps(_mm512_slli_epi32(bits, 16)));
}
inline void store(Bfloat16* to, Floats values) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), __m256i(_mm512_cvtneps_pbh(__m512(values))));
}
#endif

// sum + a * b over the DEPTH numbers at `a`, against DEPTH numbers of each of LANES columns at `b`.
inline Floats multiply_add(Floats sum, const float* a, const float* b) { return sum + *a * load(b); }
inline Doubles multiply_add(Doubles sum, const double* a, const double* b) { return sum + *a * load(b); }
#if HAS_BFLOAT16
inline Floats multiply_add(Floats sum, const Bfloat16* a, const Bfloat16* b) {
    int32_t pair;
    std::memcpy(&pair, a, sizeof pair);
    return Floats(_mm512_dpbf16_ps(__m512(sum), __m512bh(_mm512_set1_epi32(pair)), __m512bh(_mm512_loadu_si512(b))));
}
#endif

inline float sum_of_lanes(Floats values) {
    float sum = 0;
    for (int lane = 0; lane < LANES; lane++) sum += values[lane];
    return sum;
}
inline double sum_of_lanes(Doubles values) {
    double sum = 0;
    for (int lane = 0; lane < LANES; lane++) sum += values[lane];
    return sum;
}

// ----------------------------------------------------------------------------------------------- non-linearities

// exp by 2^n * 2^f, f in [-1/2, 1/2], with a polynomial for 2^f. Each kind of stored number has its own precision: what is
// rounded to bfloat16 (relative error 2e-3) is computed to 1e-4, by a shorter polynomial (3e-5) and a rough reciprocal.
template <bool ROUGH>
inline Floats power_of_two(Floats f) {
    if constexpr (ROUGH) {
        Floats p = f * 5.550410866482e-2f + 2.402265069591e-1f;
        p = p * f + 6.931471805599e-1f;
        return p * f + 1.0000000f;
    }
    Floats p = f * 1.540353039338e-4f + 1.333355814640e-3f;
    p = p * f + 9.618129107628e-3f;
    p = p * f + 5.550410866482e-2f;
    p = p * f + 2.402265069591e-1f;
    p = p * f + 6.931471805599e-1f;
    return p * f + 1.0f;
}

template <bool ROUGH>
inline Floats exponential_of_multiple(Floats x, float factor) {  // exp(factor * x)
    Floats y = x * (factor * 1.44269504088896341f);
#if defined(__AVX512F__)
    __m512 n = _mm512_roundscale_ps(__m512(y), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    return Floats(_mm512_scalef_ps(__m512(power_of_two<ROUGH>(y - Floats(n))), n));  // saturates to 0 and infinity
#else
    const float round_to_integer = 12582912.0f;  // 1.5 * 2^23: what is left in the low bits of a sum is an integer
    y = y < -126.0f ? spread(-126.0f) : y;  // not a number stays so
    y = y > 126.0f ? spread(126.0f) : y;
    Floats rounded = y + round_to_integer;
    using Bits = VectorOf<float>::bits;
    return Floats(Bits(power_of_two<ROUGH>(y - (rounded - round_to_integer))) + (Bits(rounded) << 23));
#endif
}

template <bool ROUGH>
inline Floats reciprocal(Floats x) {
#if defined(__AVX512F__)
    __m512 guess = _mm512_rcp14_ps(__m512(x));
    if constexpr (ROUGH) return Floats(guess);
    return Floats(_mm512_div_ps(_mm512_set1_ps(1.0f), __m512(x)));
#else
    return 1.0f / x;
#endif
}

template <class Stored>
constexpr bool IS_ROUGH = std::is_same_v<Stored, Bfloat16>;

template <class Stored>
inline Floats sigmoid(Floats x) {
    constexpr bool ROUGH = IS_ROUGH<Stored>;
    return reciprocal<ROUGH>(1.0f + exponential_of_multiple<ROUGH>(x, -1.0f));
}
template <class Stored>
inline Floats hyperbolic_tangent(Floats x) {
    constexpr bool ROUGH = IS_ROUGH<Stored>;
    return 2.0f * reciprocal<ROUGH>(1.0f + exponential_of_multiple<ROUGH>(x, -2.0f)) - 1.0f;
}

template <class Stored>
inline Doubles sigmoid(Doubles x) {
    for (int lane = 0; lane < LANES; lane++) x[lane] = 1.0 / (1.0 + std::exp(-x[lane]));
    return x;
}
template <class Stored>
inline Doubles hyperbolic_tangent(Doubles x) {
    for (int lane = 0; lane < LANES; lane++) x[lane] = std::tanh(x[lane]);
    return x;
}
