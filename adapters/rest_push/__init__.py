"""rest-push: the bus calls the agency's system over signed HTTP; see README.md."""

from __future__ import annotations

from adapters.rest_push.outbound import RestPush

__all__ = ["RestPush"]
