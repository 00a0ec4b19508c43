"""webhook: a portal that publishes the progress of dossiers; see README.md."""

from __future__ import annotations

from adapters.webhook.outbound import Webhook

__all__ = ["Webhook"]
