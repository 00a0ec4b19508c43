"""onestop: one-stop software that the bus polls (một cửa điện tử); see README.md."""

from __future__ import annotations

from adapters.onestop.outbound import OneStop

__all__ = ["OneStop"]
