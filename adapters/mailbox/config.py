"""Configuration of one mailbox endpoint."""

from __future__ import annotations

from schemas.adapter import AdapterConfig


class MailboxConfig(AdapterConfig):
    """Nothing to configure: the agency's own access key opens its mailbox."""
