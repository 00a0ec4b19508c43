"""Liên thông khai sinh, khai tử: the combined service of births and deaths; see README.md."""

from __future__ import annotations

from adapters.national.combined.codec import CombinedConfig, operations

__all__ = ["CombinedConfig", "operations"]
