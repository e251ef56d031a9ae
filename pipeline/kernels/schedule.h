// Which rows, in which direction, with which product: the tasks of a recurrence, shared among threads.
#pragma once

#include "recurrence.h"
#include "recurrence_int8.h"

template <class Stored>
void run_task(const Batch& batch, const Direction& d, int64_t hidden, bool backward, int64_t first, int64_t size) {
    if (backward) return run_backward<Stored>(batch, d, hidden, first, size);
#if HAS_INT8
    if constexpr (std::is_same_v<Stored, Bfloat16>)
        if (d.bytes) {
            ByteProduct product{*static_cast<const RecurrentBytes*>(d.bytes), hidden};
            return run_forward<Stored>(batch, d, product, hidden, first, size);
        }
#endif
    StoredProduct<Stored> product{static_cast<const Stored*>(d.recurrent),
                                  static_cast<const SumOf<Stored>*>(d.bias), hidden};
    run_forward<Stored>(batch, d, product, hidden, first, size);
}

template <class Stored>
void run_recurrence(const Batch& batch, const Direction* directions, int count, int64_t hidden, bool backward,
                    int64_t rows_per_task, int threads) {
    int64_t blocks = (batch.rows + rows_per_task - 1) / rows_per_task;
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (int64_t task = 0; task < blocks * count; task++) {
        int64_t first = task / count * rows_per_task, size = std::min(batch.rows - first, rows_per_task);
        run_task<Stored>(batch, directions[task % count], hidden, backward, first, size);
    }
}
