"""Cơ sở dữ liệu quốc gia về thủ tục hành chính: administrative procedures; see README.md."""

from __future__ import annotations

from adapters.national.procedures.codec import ProceduresConfig, operations

__all__ = ["ProceduresConfig", "operations"]
