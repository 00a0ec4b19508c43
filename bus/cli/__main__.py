"""`python -m bus.cli` is `lgsp`."""

from __future__ import annotations

from bus.cli import main

main()
