"""Cơ sở dữ liệu quốc gia về đăng ký doanh nghiệp: business registration; see README.md."""

from __future__ import annotations

from adapters.national.business.codec import BusinessConfig, operations

__all__ = ["BusinessConfig", "operations"]
