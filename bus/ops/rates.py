"""Token buckets in memory: so much at once, so much a second, per key and gateway process."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable


class Buckets:
    """Buckets by key. Memory is bounded: the bucket longest unused is forgotten (that is, full)."""

    def __init__(
        self, *, max_keys: int = 50_000, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._filled: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()  # level, when
        self._max = max_keys
        self._monotonic = monotonic

    def take(self, key: Hashable, *, rate: float, burst: int) -> float:
        """Takes one. Returns 0.0, or the seconds until there will be one; then nothing is taken."""
        now = self._monotonic()
        level, at = self._filled.pop(key, (float(burst), now))
        level = min(float(burst), level + (now - at) * rate)
        if level < 1.0:
            self._filled[key] = (level, now)
            return (1.0 - level) / rate
        self._filled[key] = (level - 1.0, now)
        if len(self._filled) > self._max:
            self._filled.popitem(last=False)
        return 0.0

    def give_back(self, key: Hashable) -> None:
        """Returns one that was taken for something that is not to count."""
        if key in self._filled:
            level, at = self._filled[key]
            self._filled[key] = (level + 1.0, at)
