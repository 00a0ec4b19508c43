"""dvcqg: the national public service portal (Cổng Dịch vụ công quốc gia); see README.md."""

from __future__ import annotations

from adapters.dvcqg.outbound import Dvcqg

__all__ = ["Dvcqg"]
