"""Keys of clients, issued and ended with an entry in the journal; the key itself is in neither."""

from __future__ import annotations

from bus.ledger.identities import KeyRow
from bus.ledger.ledger import Ledger
from schemas.errors import NotFound
from schemas.instant import Instant, to_iso


async def issue(
    ledger: Ledger, client: str, *, expires_at: Instant | None, actor: str
) -> tuple[str, str]:
    """A new key beside the old ones, and the hint by which it is known.

    It cannot be read again. Raises NotFound when no such client is declared.
    """
    if all(each.id != client for each in (await ledger.config.province()).clients):
        raise not_declared(client)
    key = await ledger.identities.add_key(client, expires_at=expires_at)
    hint = next(k.hint for k in await ledger.identities.keys(client) if key.startswith(k.hint))
    data = {"client": client, "hint": hint, "expiresAt": to_iso(expires_at)}
    await ledger.note("client-key-added", actor=actor, data=data)
    return key, hint


async def retire(ledger: Ledger, client: str, hint: str, *, at: Instant, actor: str) -> None:
    """Ends a key at that moment. Raises NotFound when none of that hint ends later."""
    if not await ledger.identities.retire_key(client, hint, at=at):
        raise NotFound(
            f"client {client[:60]} has no key {hint[:20]} that ends later",
            vi=f"hệ thống {client[:60]} không có khóa {hint[:20]} còn hạn sau lúc đó",
        )
    data = {"client": client, "hint": hint, "endsAt": to_iso(at)}
    await ledger.note("client-key-retired", actor=actor, data=data)


def good(key: KeyRow, now: Instant) -> bool:
    return key.expires_at is None or key.expires_at > now


def not_declared(client: str) -> NotFound:
    return NotFound(
        f"client {client[:60]} is not declared: declare it in a file, then lgsp apply",
        vi=f"hệ thống {client[:60]} chưa khai báo: khai báo trong tệp rồi lgsp apply",
    )
