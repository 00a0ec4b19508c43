"""Danh mục dùng chung: shared catalogues; see README.md."""

from __future__ import annotations

from adapters.national.catalogues.codec import CataloguesConfig, operations

__all__ = ["CataloguesConfig", "operations"]
