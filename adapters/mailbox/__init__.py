"""mailbox: the receiver's system fetches what waits for it from the bus; see README.md."""

from __future__ import annotations

from adapters.mailbox.outbound import Mailbox

__all__ = ["Mailbox"]
