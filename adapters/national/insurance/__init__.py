"""Bảo hiểm xã hội Việt Nam: social insurance; see README.md."""

from __future__ import annotations

from adapters.national.insurance.codec import InsuranceConfig, operations

__all__ = ["InsuranceConfig", "operations"]
