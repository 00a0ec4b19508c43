"""An endpoint in announced maintenance is left in peace while that lasts, and no longer."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from bus.engine.endpoint_states import EndpointStates
from bus.engine.live import LiveConfig
from bus.ledger.config_store import Change
from bus.ledger.ledger import Ledger
from schemas.instant import SECOND, Instant, to_datetime
from schemas.maintenance import Maintenance
from schemas.province import Endpoint
from tests.ledgers import prepare
from tests.waiting import wait_until

NOON: Instant = 1_790_000_000 * SECOND


async def test_it_rests_from_the_beginning_to_the_end(tmp_path: Path, sqlite_url: str) -> None:
    now = [NOON - SECOND]
    begins = to_datetime(NOON)
    away = Maintenance(
        begins=begins,
        ends=begins + timedelta(hours=2),
        announced=date(2026, 1, 5),
        reason="nâng cấp",
    )
    endpoints = [
        Endpoint(name="so-y-te", kind="rest-push", maintenance=(away,)),
        Endpoint(name="so-noi-vu", kind="rest-push"),
    ]
    await prepare(sqlite_url)
    ledger = await Ledger.open(sqlite_url, tmp_path / "blobs", clock=lambda: now[0])
    changes = [Change("endpoint", each.name, None, each) for each in endpoints]
    await ledger.config.apply(changes, expected=0, actor="test", reason="")
    live = LiveConfig(ledger.config)
    await live.start()
    states = EndpointStates(ledger, live)
    reads = [0]
    states.on_read(lambda: reads.append(reads[-1] + 1))
    await states.start()

    async def rests(name: str) -> bool:
        seen = reads[-1]
        await wait_until(lambda: reads[-1] > seen + 1, what="another reading")
        assert states.blocked(name) == states.of(name).paused
        return states.of(name).paused

    try:
        assert not await rests("so-y-te")
        now[0] = NOON
        assert await rests("so-y-te")
        assert not await rests("so-noi-vu")
        await ledger.set_paused("so-y-te", paused=True, actor="lan", reason="lâu hơn dự kiến")
        now[0] = NOON + 7_200 * SECOND
        assert await rests("so-y-te"), "what a person has paused stays paused"
        await ledger.set_paused("so-y-te", paused=False, actor="lan", reason="")
        assert not await rests("so-y-te")
    finally:
        await states.close()
        await live.close()
        await ledger.close()
