"""vnpost: the post's public service orders (bưu chính công ích); see README.md."""

from __future__ import annotations

from adapters.vnpost.outbound import VnPost

__all__ = ["VnPost"]
