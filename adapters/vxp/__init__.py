"""vxp: the national document axis (Trục liên thông văn bản quốc gia); see README.md."""

from __future__ import annotations

from adapters.vxp.outbound import Vxp

__all__ = ["Vxp"]
