"""Hộ tịch điện tử (Bộ Tư pháp): civil status; see README.md."""

from __future__ import annotations

from adapters.national.civil_status.codec import CivilStatusConfig, operations

__all__ = ["CivilStatusConfig", "operations"]
