"""Lý lịch tư pháp (Bộ Tư pháp): judicial records; see README.md."""

from __future__ import annotations

from adapters.national.judicial_records.codec import JudicialRecordsConfig, operations

__all__ = ["JudicialRecordsConfig", "operations"]
