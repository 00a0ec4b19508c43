"""What the rest-push adapter declares about itself."""

from __future__ import annotations

from schemas.adapter import Manifest

MANIFEST = Manifest(
    kind="rest-push",
    title_vi="Đẩy qua REST: trục gọi hệ thống của cơ quan",
    title_en="REST push: the bus calls the agency's system",
    mode="push",
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
    looks_up=True,
    secrets=("secret", "previous_secret"),
)
