"""What the mailbox adapter declares about itself."""

from __future__ import annotations

from schemas.adapter import Manifest

MANIFEST = Manifest(
    kind="mailbox",
    title_vi="Hộp thư: hệ thống của cơ quan tự lấy từ trục",
    title_en="Mailbox: the agency's system fetches from the bus",
    mode="pull",
    fan_out="per-receiver",
    kinds=(
        "document",
        "status",
        "dossier",
        "step",
        "submission",
        "rating",
        "evaluation",
        "question",
        "answer",
        "statistics",
        "postal-order",
        "change",
    ),
    looks_up=False,
)
