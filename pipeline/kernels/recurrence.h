// The recurrence of a gated recurrent unit over a batch of sequences without padding, forward and backward in time.
//
//   r = sigmoid(x_r + h W_r),  z = sigmoid(x_z + h W_z),  q = h W_q + b_q,  n = tanh(x_n + r q),  h' = n + z (h - n)
//
// (the convention of cuDNN and of torch.nn.GRU). The input's share x of the gates comes ready made, r and z with both
// biases. Sequences are sorted by length, longest first; step s has the first counts(s) of them. The token at time t of
// row b stands at position offsets[t] + b, so that each time is a contiguous block. A reversed direction reads row b
// from its last token to its first: at step s the token of time lengths[b] - 1 - s.
#pragma once

#include <vector>

#include "product.h"

struct Batch {
    int64_t rows, steps;
    const int32_t* offsets;  // (steps + 1,)
    const int32_t* lengths;  // (rows,), not rising
};

struct Direction {
    int32_t reversed;
    const void* gates;        // (tables' rows, gate_stride), Stored: r, z, n of the input, hidden each
    const int32_t* gate_rows; // (tokens,): the row of `gates` for each position; null where row = position
    int64_t gate_stride;
    const void* recurrent;         // packed by pack_recurrent
    const void* recurrent_backward;// packed by `pack`: depth 3 hidden (r, z, q), columns hidden
    const void* bias;         // (hidden,), Sum: b_q
    void* states;             // (tokens, state_stride), Stored
    int64_t state_stride;
    void* saved;              // (tokens, 4 hidden), Stored: r, z, n, q; null when no gradient is wanted
    void* earlier;            // (tokens, hidden), Stored: the state before each token; null likewise
    const void* state_gradients;   // (tokens, state_stride), Stored
    void* gate_gradients;     // (tokens, 4 hidden), Stored: of n, r, z before their non-linearities, of q
    const void* initial;      // (rows, hidden), Sum: the state before the first token; null for zeros
    const void* bytes;        // RecurrentBytes: the recurrent product in eight bits, in place of `recurrent`; or null
};

inline int64_t rows_at(const Batch& batch, int64_t step) { return batch.offsets[step + 1] - batch.offsets[step]; }

inline int64_t position_of(const Batch& batch, const Direction& direction, int64_t step, int64_t row) {
    int64_t time = direction.reversed ? batch.lengths[row] - 1 - step : step;
    return batch.offsets[time] + row;
}

// Pack W_hh (3 hidden, hidden) so that LANES units' r, z and q stand together: [unit / LANES][k / DEPTH][gate][unit][k % DEPTH].
template <class Stored>
void pack_recurrent(const SumOf<Stored>* weights, int64_t hidden, Stored* to) {
    constexpr int DEPTH = Kind<Stored>::DEPTH;
    for (int64_t unit = 0; unit < hidden; unit++)
        for (int64_t gate = 0; gate < 3; gate++)
            for (int64_t k = 0; k < hidden; k += LANES)
                scatter(weights + (gate * hidden + unit) * hidden + k,
                        to + (unit / LANES * hidden + k) * 3 * LANES + (gate * LANES + unit % LANES) * DEPTH,
                        3 * LANES * DEPTH);
}

// The recurrent share of r, z and q, in the precision of the stored numbers.
template <class Stored>
struct StoredProduct {
    using Operand = Stored;  // what a state is rounded to for the product
    const Stored* weights;   // packed by pack_recurrent
    const SumOf<Stored>* bias;
    int64_t hidden;

    static void round(Stored* to, Vector<Stored> state) { store(to, state); }

    // Sums for LANES units from `unit` of up to TILE_ROWS rows, kept in registers meanwhile.
    void operator()(const Stored* operand, int64_t rows, int64_t unit, SumOf<Stored> (*out)[3][LANES]) const {
        constexpr int DEPTH = Kind<Stored>::DEPTH;
        const Stored* panel = weights + 3 * unit * hidden;
        const Stored* a[TILE_ROWS];
        Vector<Stored> sums[TILE_ROWS][3];
#pragma GCC unroll 8
        for (int i = 0; i < TILE_ROWS; i++) {
            a[i] = operand + std::min<int64_t>(i, rows - 1) * hidden;
            sums[i][0] = sums[i][1] = Vector<Stored>{};
            sums[i][2] = load(bias + unit);
        }
        for (int64_t k = 0; k < hidden; k += DEPTH, panel += 3 * LANES * DEPTH)
#pragma GCC unroll 8
            for (int i = 0; i < TILE_ROWS; i++)
#pragma GCC unroll 3
                for (int gate = 0; gate < 3; gate++)
                    sums[i][gate] = multiply_add(sums[i][gate], a[i] + k, panel + gate * LANES * DEPTH);
#pragma GCC unroll 8
        for (int i = 0; i < TILE_ROWS; i++)
#pragma GCC unroll 3
            for (int gate = 0; gate < 3; gate++) store(out[i][gate], sums[i][gate]);
    }
};

// One task: rows [first, first + size) of a batch in one direction, from the first step to the last.
template <class Stored, class Product>
void run_forward(const Batch& batch, const Direction& d, const Product& product, int64_t hidden, int64_t first,
                 int64_t size) {
    using Sum = SumOf<Stored>;
    std::vector<Sum> state(size * hidden);
    std::vector<typename Product::Operand> operand(size * hidden), next(size * hidden);
    if (d.initial)
        std::copy_n(static_cast<const Sum*>(d.initial) + first * hidden, size * hidden, state.data());
    for (int64_t i = 0; i < size * hidden; i += LANES) Product::round(&operand[i], load(&state[i]));
    const Stored* gates = static_cast<const Stored*>(d.gates);
    std::vector<int64_t> positions(size);
    std::vector<const Stored*> inputs(size), upcoming(size);
    auto input_of = [&](int64_t position) {
        return gates + (d.gate_rows ? d.gate_rows[position] : position) * d.gate_stride;
    };
    for (int64_t step = 0; step < batch.steps; step++) {
        int64_t active = std::clamp<int64_t>(rows_at(batch, step) - first, 0, size);
        if (active == 0) break;
        for (int64_t i = 0; i < active; i++) {
            positions[i] = position_of(batch, d, step, first + i);
            inputs[i] = input_of(positions[i]);
            bool more = batch.lengths[first + i] > step + 1;
            upcoming[i] = more ? input_of(position_of(batch, d, step + 1, first + i)) : inputs[i];
        }
        for (int64_t unit = 0; unit < hidden; unit += LANES) {
            for (int64_t row = 0; row < active; row += TILE_ROWS) {
                Sum sums[TILE_ROWS][3][LANES];
                product(&operand[row * hidden], active - row, unit, sums);
                for (int i = 0; i < TILE_ROWS && row + i < active; i++) {
                    const Stored* x = inputs[row + i] + unit;
                    if (unit * sizeof(Stored) % 64 == 0)
                        for (int gate = 0; gate < 3; gate++) __builtin_prefetch(upcoming[row + i] + unit + gate * hidden);
                    Sum* h = &state[(row + i) * hidden + unit];
                    Vector<Stored> earlier = load(h);
                    Vector<Stored> r = sigmoid<Stored>(load(sums[i][0]) + load(x)), z = sigmoid<Stored>(load(sums[i][1]) + load(x + hidden));
                    Vector<Stored> q = load(sums[i][2]), n = hyperbolic_tangent<Stored>(load(x + 2 * hidden) + r * q);
                    Vector<Stored> later = n + z * (earlier - n);
                    store(h, later);
                    Product::round(&next[(row + i) * hidden + unit], later);
                    int64_t position = positions[row + i];
                    store(static_cast<Stored*>(d.states) + position * d.state_stride + unit, later);
                    if (d.saved) {
                        Stored* saved = static_cast<Stored*>(d.saved) + position * 4 * hidden + unit;
                        store(saved, r);
                        store(saved + hidden, z);
                        store(saved + 2 * hidden, n);
                        store(saved + 3 * hidden, q);
                        store(static_cast<Stored*>(d.earlier) + position * hidden + unit, earlier);
                    }
                }
            }
        }
        operand.swap(next);
    }
}

// The same rows from the last step to the first: gradients of the gates from gradients of the states.
template <class Stored>
void run_backward(const Batch& batch, const Direction& d, int64_t hidden, int64_t first, int64_t size) {
    using Sum = SumOf<Stored>;
    std::vector<Sum> carried(size * hidden);  // gradient of the state, as far as later steps have a share in it
    std::vector<Stored> block(size * 3 * hidden);
    std::vector<int64_t> positions(size), upcoming(size);
    for (int64_t step = batch.steps - 1; step >= 0; step--) {
        int64_t active = std::clamp<int64_t>(rows_at(batch, step) - first, 0, size);
        if (active == 0) continue;
        for (int64_t i = 0; i < active; i++) {
            positions[i] = position_of(batch, d, step, first + i);
            upcoming[i] = step > 0 ? position_of(batch, d, step - 1, first + i) : positions[i];
        }
        for (int64_t i = 0; i < active; i++) {
            const Stored* saved = static_cast<const Stored*>(d.saved) + positions[i] * 4 * hidden;
            const Stored* coming = static_cast<const Stored*>(d.saved) + upcoming[i] * 4 * hidden;
            const Stored* before = static_cast<const Stored*>(d.earlier) + positions[i] * hidden;
            const Stored* given = static_cast<const Stored*>(d.state_gradients) + positions[i] * d.state_stride;
            Stored* out = static_cast<Stored*>(d.gate_gradients) + positions[i] * 4 * hidden;
            for (int64_t unit = 0; unit < hidden; unit += LANES) {
                for (int part = 0; part < 4; part++) __builtin_prefetch(coming + part * hidden + unit);
                Sum* h = &carried[i * hidden + unit];
                Vector<Stored> r = load(saved + unit), z = load(saved + hidden + unit);
                Vector<Stored> n = load(saved + 2 * hidden + unit), q = load(saved + 3 * hidden + unit);
                Vector<Stored> of_state = load(h) + load(given + unit);
                Vector<Stored> of_n = of_state * (Sum(1) - z) * (Sum(1) - n * n);
                Vector<Stored> of_z = of_state * (load(before + unit) - n) * z * (Sum(1) - z);
                Vector<Stored> of_r = of_n * q * r * (Sum(1) - r), of_q = of_n * r;
                store(out + unit, of_n);
                store(out + hidden + unit, of_r);
                store(out + 2 * hidden + unit, of_z);
                store(out + 3 * hidden + unit, of_q);
                Stored* operand = &block[i * 3 * hidden + unit];
                store(operand, of_r);
                store(operand + hidden, of_z);
                store(operand + 2 * hidden, of_q);
                store(h, of_state * z);
            }
        }
        if (step == 0) break;
        const Stored* panel = static_cast<const Stored*>(d.recurrent_backward);
        for (int64_t unit = 0; unit < hidden; unit += PANEL) {
            int64_t vectors = std::min<int64_t>(PANEL_VECTORS, (hidden - unit) / LANES);
            with_vectors(vectors, [&](auto constant) {
                constexpr int VECTORS = decltype(constant)::value;
                for (int64_t row = 0; row < active; row += PRODUCT_ROWS) {
                    Sum* h = &carried[row * hidden + unit];
                    tile<PRODUCT_ROWS, VECTORS>(
                        &block[row * 3 * hidden], 3 * hidden, Kind<Stored>::DEPTH, active - row, 3 * hidden, panel,
                        [&](int64_t i, int v) { return load(h + i * hidden + v * LANES); },
                        [&](int i, int v, Vector<Stored> sum) { store(h + i * hidden + v * LANES, sum); });
                }
            });
            panel += vectors * LANES * 3 * hidden;
        }
    }
}
