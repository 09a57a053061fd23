"""Embeddings: a face as a direction in a space where pictures of one person point the same way."""

import math

from shuanglu_face_check.domain.geometry import all_finite

# As the network gives it, not normalised, single precision: stored and loaded again it is still the same number, so a
# worker that made a template and one that read it report equal similarities.
Embedding = tuple[float, ...]


def cosine(one: Embedding, other: Embedding) -> float | None:
    """How alike two faces are, -1..1, higher is closer.

    None if it cannot be told: lengths differ, a vector is zero, or a number is not finite. A NaN must never leave: it
    passes no threshold and breaks `min`.
    """
    if len(one) != len(other) or not all_finite(one) or not all_finite(other):
        return None
    product = math.fsum(a * b for a, b in zip(one, other, strict=True))
    lengths = math.sqrt(math.fsum(a * a for a in one)) * math.sqrt(math.fsum(b * b for b in other))
    if not lengths or not math.isfinite(product / lengths):
        return None
    return min(1.0, max(-1.0, product / lengths))
