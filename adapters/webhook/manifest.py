"""What the webhook adapter declares about itself."""

from __future__ import annotations

from schemas.adapter import Manifest

MANIFEST = Manifest(
    kind="webhook",
    title_vi="Webhook: tiến độ hồ sơ tới cổng công khai",
    title_en="Webhook: progress of dossiers to a portal that publishes it",
    mode="push",
    fan_out="per-receiver",
    kinds=("dossier", "step", "change"),
    looks_up=False,
    secrets=("secret", "previous_secret"),
)
