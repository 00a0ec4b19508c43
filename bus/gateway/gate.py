"""Who is calling: access tokens, the allowance of each client, and the price of guessing.

A known token is served from memory, so a caller costs no query and the door stays open for it while
the database is away.  Every answer is judged by the live configuration: a client that is suspended
or removed there is refused at once.  A token whose key was ended is refused within `recheck`.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from starlette.types import Scope

from bus.engine.live import LiveConfig, Snapshot
from bus.gateway.access import Caller, Reaches
from bus.gateway.exchange import Exchange
from bus.ledger.identities import Identities
from bus.ops.rates import Buckets
from schemas import instant
from schemas.errors import LedgerUnavailable, RateLimited, Unauthenticated
from schemas.instant import Clock, Instant
from schemas.province import Client

# Keys and tokens hold 256 random bits: guessing is hopeless, these spare the database the tries.
LOOK_UPS_RATE = 20.0  # of tokens not known here, for each address
LOOK_UPS_BURST = 200
FAILURES_RATE = 0.2  # of keys a second, for each client and address …
FAILURES_BURST = 10  # … and so many at once


@dataclass(frozen=True, slots=True)
class _Known:
    client: str
    expires_at: Instant
    fresh_until: Instant


@dataclass(frozen=True, slots=True)
class Proved:
    """A client that has shown one of its keys."""

    client: Client
    key_hash: bytes


class Gate:
    """Admits callers. One per gateway process."""

    def __init__(
        self,
        identities: Identities,
        live: LiveConfig,
        *,
        recheck: float = 15.0,
        max_known: int = 50_000,
        clock: Clock = instant.now,
    ) -> None:
        self._identities = identities
        self._live = live
        self._recheck = int(recheck * instant.SECOND)
        self._max_known = max_known
        self._clock = clock
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._reaches = Reaches()
        self._allowances = Buckets()
        self._look_ups = Buckets()
        self._failures = Buckets()
        self._systems: dict[str, str] = {}  # client id by system id
        self._systems_for: Snapshot | None = None

    async def admit(self, scope: Scope) -> Caller:
        """The caller, its request counted.

        Raises Unauthenticated, RateLimited, or LedgerUnavailable for a token not known here.
        """
        exchange: Exchange = scope["exchange"]
        authorization = exchange.headers.get(b"authorization", b"")
        fingerprint = hashlib.sha256(authorization).digest()
        known = self._known.get(fingerprint)
        now = self._clock()
        if known is None or known.fresh_until <= now:
            known = await self._look_up(authorization, fingerprint, known, scope)
        client = self.client(known.client)
        if client is None or known.expires_at <= now:
            raise Unauthenticated(
                "the access token is not valid any more", vi="Mã truy cập không còn hiệu lực"
            )
        return self.enter(client, exchange)

    def enter(self, client: Client, exchange: Exchange) -> Caller:
        """The caller, once it has proved who it is; its request counted. Raises RateLimited."""
        exchange.client = client.id
        self.spend(client)
        return self._reaches.caller(client, self._live.snapshot)

    def again(self, client_id: str) -> Caller | None:
        """The caller as configured now, for what goes on without it; None: it is to end."""
        client = self.client(client_id)
        return None if client is None else self._reaches.caller(client, self._live.snapshot)

    async def prove(self, client_id: str, key: str, scope: Scope) -> Proved | None:
        """Whose key it is; None when it is not good. Wrong ones are slowed down.

        Raises RateLimited (too many wrong ones before), LedgerUnavailable.
        """
        attempt = (client_id[:100], address(scope))
        must_wait(self._failures.take(attempt, rate=FAILURES_RATE, burst=FAILURES_BURST))
        key_hash = await self._identities.check_key(client_id, key, now=self._clock())
        client = self.client(client_id)
        if key_hash is None or client is None:
            return None
        self._failures.give_back(attempt)
        return Proved(client, key_hash)

    def system(self, system_id: str) -> Client | None:
        """The client declared with that system id; None when it is suspended or not there."""
        snapshot = self._live.snapshot
        if self._systems_for is not snapshot:
            clients = snapshot.clients.values()
            self._systems = {each.system_id: each.id for each in clients if each.system_id}
            self._systems_for = snapshot
        return self.client(self._systems.get(system_id, ""))

    def client(self, client_id: str) -> Client | None:
        """The client as configured now; None when it is suspended or not there."""
        client = self._live.snapshot.clients.get(client_id)
        return None if client is None or client.suspended else client

    def spend(self, client: Client) -> None:
        """Takes one request from the client's allowance. Raises RateLimited."""
        wait = self._allowances.take(client.id, rate=client.rate, burst=client.burst)
        if wait:
            raise RateLimited(
                f"more than {client.rate:g} requests a second",
                vi=f"Vượt quá {client.rate:g} yêu cầu mỗi giây",
                retry_after=wait,
            )

    async def _look_up(
        self, authorization: bytes, fingerprint: bytes, known: _Known | None, scope: Scope
    ) -> _Known:
        scheme, _, token = authorization.decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthenticated("an access token is needed", vi="Cần mã truy cập (Bearer)")
        if known is None:
            must_wait(self._look_ups.take(address(scope), rate=LOOK_UPS_RATE, burst=LOOK_UPS_BURST))
        now = self._clock()
        try:
            found = await self._identities.find_token(token.strip(), now=now)
        except LedgerUnavailable:
            if known is None or known.expires_at <= now:
                raise
            return known  # as good as when it was last looked at
        if found is None:
            self._known.pop(fingerprint, None)
            raise Unauthenticated(
                "the access token is unknown or has ended",
                vi="Mã truy cập không tồn tại hoặc đã hết hạn",
            )
        return self._remember(
            fingerprint, _Known(found.client, found.expires_at, now + self._recheck)
        )

    def _remember(self, fingerprint: bytes, known: _Known) -> _Known:
        self._known[fingerprint] = known
        self._known.move_to_end(fingerprint)
        if len(self._known) > self._max_known:
            self._known.popitem(last=False)
        return known


def must_wait(seconds: float) -> None:
    """Raises RateLimited unless `seconds` is zero."""
    if seconds:
        raise RateLimited(
            "too many failed attempts from this address",
            vi="Quá nhiều lần xác thực sai từ địa chỉ này",
            retry_after=seconds,
        )


def address(scope: Scope) -> str:
    """Where a request comes from, as the server sees it."""
    client = scope.get("client")
    return client[0] if client else ""
