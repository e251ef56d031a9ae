"""Numbers in the form that the compiled kernels take: rounded, padded to whole vectors, packed for their products."""

from __future__ import annotations

import numpy as np

from pipeline.kernel_library import BFLOAT16, SIZE_MULTIPLE, Kernels, address
from pipeline.workspace import Array


def padded_to_lanes(size: int) -> int:
    """Return the next multiple of the kernels' vector length."""
    return (size + SIZE_MULTIPLE - 1) // SIZE_MULTIPLE * SIZE_MULTIPLE


def packed(kernels: Kernels, matrix: Array, *, transposed: bool) -> Array:
    """Pack a matrix as the right side of a product.

    Args:
        kernels: for the kind of stored number.
        matrix: (depth, columns), or (columns, depth) if ``transposed``; made larger by zeros to multiples of the lanes.
        transposed: see above.
    """
    missing = [(0, -size % SIZE_MULTIPLE) for size in matrix.shape]
    if any(after for _, after in missing):
        matrix = np.pad(matrix, missing)
    depth, columns = matrix.shape[::-1] if transposed else matrix.shape
    result = np.empty(matrix.size, dtype=kernels.kind.stored)
    kernels.pack(address(matrix), matrix.shape[1], transposed, depth, columns, address(result))
    return result


def packed_recurrent(kernels: Kernels, weights: Array) -> Array:
    """Pack W_hh, (3H, H), for the forward pass."""
    hidden = weights.shape[1]
    result = np.empty(weights.size, dtype=kernels.kind.stored)
    kernels.pack_recurrent(address(weights), hidden, address(result))
    return result


def widened(kernels: Kernels, numbers: Array) -> Array:
    """Return stored numbers in the ``sums`` type."""
    if kernels.kind is BFLOAT16:
        return (numbers.astype(np.uint32) << 16).view(np.float32)
    return numbers.astype(kernels.kind.sums)


def narrowed(kernels: Kernels, numbers: Array) -> Array:
    """Return numbers of the ``sums`` type, (rows, columns), as stored ones, rounded to nearest."""
    if kernels.kind is not BFLOAT16:
        return numbers.astype(kernels.kind.stored)
    result = np.empty(numbers.shape, dtype=kernels.kind.stored)
    rows = np.arange(len(numbers), dtype=np.int32)
    width = numbers.shape[1]
    kernels.embed(
        *(address(numbers), width, address(rows), len(rows), None, 0),
        *(address(result), width, 1),
    )
    return result
