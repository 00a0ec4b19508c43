"""Calling services: who may, how the partner is asked, and what comes back."""

from __future__ import annotations

from bus.gateway.calling.asker import Asker
from bus.gateway.calling.calls import Calls
from bus.gateway.calling.catalogue import Catalogue, Served
from bus.gateway.calling.partner import Partners

__all__ = ["Asker", "Calls", "Catalogue", "Partners", "Served"]
