"""Cơ sở dữ liệu quốc gia về dân cư: the population database; see README.md."""

from __future__ import annotations

from adapters.national.population.codec import PopulationConfig, operations

__all__ = ["PopulationConfig", "operations"]
