"""The command `lgsp`: run the bus, see the flow, mend it."""

from __future__ import annotations

from bus.cli.app import main

__all__ = ["main"]
