// Summaries of each row's states over its tokens: maximum, mean, attention; and their gradients.
//
// Attention (Yang et al. 2016): score_t = v . tanh(h_t W + b), weights softmax over time. The product h W + b comes ready
// made in `projected`, and its tanh is left there for the gradients.
#pragma once

#include "recurrence.h"

constexpr int64_t POOLED_ROWS = 8;  // are worked on together: their sums stay in the first-level cache

struct Pooling {
    int64_t size;             // of a state; a multiple of 16
    int64_t attention_size;   // columns of `projected`; 0 for no attention
    const void* states;       // (tokens, size), Stored
    void* projected;          // (tokens, attention_size), Stored
    const void* vector;       // (attention_size,), Sum: v
    void* weights;            // (tokens,), Sum: scores, then softmax weights
    void* maximum;            // (rows, size), Sum
    void* maximum_time;       // (rows, size), Sum: when it was first reached; null when no gradient is wanted
    void* mean;               // (rows, size), Sum
    void* attended;           // (rows, size), Sum
    const void* maximum_gradient;
    const void* mean_gradient;
    const void* attended_gradient;
    void* state_gradients;    // (tokens, size), Stored
    void* projected_gradients;// (tokens, attention_size), Stored
    void* vector_gradients;   // (rows, attention_size), Sum: one row's share of the gradient of v
    void* bias_gradients;     // (rows, attention_size), Sum: likewise of b
};

// Scores and softmax of rows [first, until), time by time, so that memory is read in order.
template <class Stored>
void attention_weights(const Batch& batch, const Pooling& p, int64_t first, int64_t until) {
    using Sum = SumOf<Stored>;
    Sum* weights = static_cast<Sum*>(p.weights);
    const Sum* vector = static_cast<const Sum*>(p.vector);
    Sum highest[POOLED_ROWS], total[POOLED_ROWS] = {};
    std::fill(highest, highest + POOLED_ROWS, -INFINITY);
    for (int64_t time = 0; time < batch.lengths[first]; time++) {
        for (int64_t row = first; row < std::min(until, rows_at(batch, time)); row++) {
            int64_t position = batch.offsets[time] + row;
            Stored* projected = static_cast<Stored*>(p.projected) + position * p.attention_size;
            Vector<Stored> score{};
            for (int64_t unit = 0; unit < p.attention_size; unit += LANES) {
                Vector<Stored> value = hyperbolic_tangent<Stored>(load(projected + unit));
                store(projected + unit, value);
                score = score + value * load(vector + unit);
            }
            weights[position] = sum_of_lanes(score);
            highest[row - first] = std::max(highest[row - first], weights[position]);
        }
    }
    for (int64_t time = 0; time < batch.lengths[first]; time++)
        for (int64_t row = first; row < std::min(until, rows_at(batch, time)); row++) {
            Sum& weight = weights[batch.offsets[time] + row];
            total[row - first] += weight = std::exp(weight - highest[row - first]);
        }
    for (int64_t time = 0; time < batch.lengths[first]; time++)
        for (int64_t row = first; row < std::min(until, rows_at(batch, time)); row++)
            weights[batch.offsets[time] + row] /= total[row - first];
}

template <class Stored>
void pool(const Batch& batch, const Pooling& p, int threads) {
    using Sum = SumOf<Stored>;
    int64_t tasks = (batch.rows + POOLED_ROWS - 1) / POOLED_ROWS;
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (int64_t task = 0; task < tasks; task++) {
        int64_t first = task * POOLED_ROWS, until = std::min(batch.rows, first + POOLED_ROWS);
        if (p.attention_size) attention_weights<Stored>(batch, p, first, until);
        for (int64_t i = first * p.size; i < until * p.size; i++) {
            static_cast<Sum*>(p.maximum)[i] = -INFINITY;
            static_cast<Sum*>(p.mean)[i] = static_cast<Sum*>(p.attended)[i] = 0;
        }
        for (int64_t time = 0; time < batch.lengths[first]; time++) {
            int64_t active = std::min(until, rows_at(batch, time));
            for (int64_t row = first; row < active; row++) {
                int64_t position = batch.offsets[time] + row;
                const Stored* state = static_cast<const Stored*>(p.states) + position * p.size;
                Sum* maximum = static_cast<Sum*>(p.maximum) + row * p.size;
                Sum* sum = static_cast<Sum*>(p.mean) + row * p.size;
                Sum* attended = static_cast<Sum*>(p.attended) + row * p.size;
                Sum weight = p.attention_size ? static_cast<Sum*>(p.weights)[position] : Sum(0);
                Sum* when = p.maximum_time ? static_cast<Sum*>(p.maximum_time) + row * p.size : nullptr;
                Vector<Stored> now = spread(Sum(time));
                for (int64_t unit = 0; unit < p.size; unit += LANES) {
                    Vector<Stored> value = load(state + unit), best = load(maximum + unit);
                    auto higher = (value > best) | (value != value);  // what is no number is kept, not passed over
                    if (when) store(when + unit, higher ? now : load(when + unit));
                    store(maximum + unit, higher ? value : best);
                    store(sum + unit, load(sum + unit) + value);
                    store(attended + unit, load(attended + unit) + weight * value);
                }
            }
        }
        for (int64_t row = first; row < until; row++)
            for (int64_t unit = 0; unit < p.size; unit++)
                static_cast<Sum*>(p.mean)[row * p.size + unit] /= Sum(batch.lengths[row]);
    }
}

template <class Stored>
void pool_backward(const Batch& batch, const Pooling& p, int threads) {
    using Sum = SumOf<Stored>;
    int64_t tasks = (batch.rows + POOLED_ROWS - 1) / POOLED_ROWS;
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (int64_t task = 0; task < tasks; task++) {
        int64_t first = task * POOLED_ROWS, until = std::min(batch.rows, first + POOLED_ROWS);
        Sum expected[POOLED_ROWS];  // sum of weight x (gradient of its weight) = gradient . attended
        for (int64_t row = first; row < until; row++) {
            expected[row - first] = 0;
            for (int64_t unit = 0; p.attention_size && unit < p.size; unit++)
                expected[row - first] += static_cast<const Sum*>(p.attended)[row * p.size + unit] *
                                         static_cast<const Sum*>(p.attended_gradient)[row * p.size + unit];
            for (int64_t i = row * p.attention_size; i < (row + 1) * p.attention_size; i++)
                static_cast<Sum*>(p.vector_gradients)[i] = static_cast<Sum*>(p.bias_gradients)[i] = 0;
        }
        for (int64_t time = 0; time < batch.lengths[first]; time++) {
            int64_t active = std::min(until, rows_at(batch, time));
            for (int64_t row = first; row < active; row++) {
                int64_t position = batch.offsets[time] + row;
                const Stored* state = static_cast<const Stored*>(p.states) + position * p.size;
                const Sum* of_maximum = static_cast<const Sum*>(p.maximum_gradient) + row * p.size;
                const Sum* of_mean = static_cast<const Sum*>(p.mean_gradient) + row * p.size;
                const Sum* of_attended = static_cast<const Sum*>(p.attended_gradient) + row * p.size;
                const Sum* when = static_cast<const Sum*>(p.maximum_time) + row * p.size;
                Vector<Stored> now = spread(Sum(time)), zeros{};
                Stored* out = static_cast<Stored*>(p.state_gradients) + position * p.size;
                Sum weight = p.attention_size ? static_cast<const Sum*>(p.weights)[position] : Sum(0);
                Sum share = Sum(1) / Sum(batch.lengths[row]);
                Vector<Stored> of_weight{};
                for (int64_t unit = 0; unit < p.size; unit += LANES) {
                    Vector<Stored> gradient = load(of_attended + unit);
                    of_weight = of_weight + gradient * load(state + unit);
                    gradient = gradient * weight + load(of_mean + unit) * share;
                    store(out + unit, gradient + (load(when + unit) == now ? load(of_maximum + unit) : zeros));
                }
                Sum of_score = weight * (sum_of_lanes(of_weight) - expected[row - first]);
                const Stored* activation = static_cast<const Stored*>(p.projected) + position * p.attention_size;
                Stored* of_projected = static_cast<Stored*>(p.projected_gradients) + position * p.attention_size;
                Sum* of_vector = static_cast<Sum*>(p.vector_gradients) + row * p.attention_size;
                Sum* of_bias = static_cast<Sum*>(p.bias_gradients) + row * p.attention_size;
                for (int64_t unit = 0; unit < p.attention_size; unit += LANES) {
                    Vector<Stored> value = load(activation + unit);
                    Vector<Stored> through =
                        of_score * load(static_cast<const Sum*>(p.vector) + unit) * (Sum(1) - value * value);
                    store(of_projected + unit, through);
                    store(of_vector + unit, load(of_vector + unit) + of_score * value);
                    store(of_bias + unit, load(of_bias + unit) + through);
                }
            }
        }
    }
}
