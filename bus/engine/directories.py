"""Directories: takes the agencies that partners list into the configuration, once a day.

What is in force is what was last seen: an unchanged directory is read and writes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass

import structlog

from bus.engine.deliver import CreateAdapter
from bus.engine.endpoint_states import EndpointStates
from bus.engine.live import LiveConfig
from bus.engine.membership import Membership
from bus.engine.outlive import outliving
from bus.ledger.config_store import Change
from bus.ledger.ledger import Ledger
from routing.imports import Gathering, beside
from schemas.adapter import DirectorySource
from schemas.errors import ConfigurationError, DirectoryShrunk
from schemas.province import Agency, Endpoint

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
"""How often it is asked which directory is due."""

FIRST_PAUSE, LONGEST_PAUSE = 60.0, 3_600.0
"""Seconds after a directory that could not be read, doubling: it is long, and not urgent."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What a directory says, against what is in force."""

    changes: tuple[Change, ...]
    rows: int  # read
    unusable: int  # rows without a code that can be one
    agencies: int  # imported once the changes are applied


async def compare(
    source: DirectorySource,
    endpoint: str,
    in_force: Iterable[Agency],
    *,
    force: bool = False,
    progress: Callable[[int], None] = lambda _rows: None,
) -> Difference:
    """Reads the whole directory; `in_force` are all agencies of the configuration.

    Raises PartnerError, ConfigurationError, and without `force` DirectoryShrunk when less than
    half of what was imported is left.
    """
    gathering = Gathering()
    async with aclosing(source.agencies()) as rows:
        async for row in rows:
            gathering.add(row)
            progress(1)
    return await asyncio.to_thread(_difference, gathering, endpoint, in_force, force=force)


def _difference(
    gathering: Gathering, endpoint: str, in_force: Iterable[Agency], *, force: bool
) -> Difference:
    old: dict[str, Agency] = {}
    others: list[Agency] = []
    for agency in in_force:
        if agency.source == endpoint:
            old[agency.code] = agency
        else:
            others.append(agency)
    listed = beside(others, gathering.agencies(endpoint, old))
    new = {agency.code: agency for agency in listed}
    if len(new) * 2 < len(old) and not force:
        raise DirectoryShrunk(
            f"{endpoint} lists {len(new)} agencies, {len(old)} are in force: less than half, so"
            " nothing is changed. Ask whoever runs it; if it is right:"
            f" lgsp axis sync {endpoint} --force",
            vi=f"{endpoint} chỉ còn {len(new)} cơ quan, đang dùng {len(old)}: chưa tới một nửa nên"
            " không thay đổi gì. Hỏi bên vận hành trục quốc gia; nếu đúng:"
            f" lgsp axis sync {endpoint} --force",
        )
    changes = tuple(
        Change("agency", code, old.get(code), new.get(code))
        for code in sorted(old.keys() | new.keys())
        if old.get(code) != new.get(code)
    )
    return Difference(changes, gathering.rows, gathering.unusable, len(new))


async def apply(
    ledger: Ledger, endpoint: str, difference: Difference, *, expected: int, actor: str
) -> int:
    """One revision, if anything changed, and an entry in the journal; returns the revision.

    Raises Conflict when the configuration is no longer at `expected`.
    """
    reason = f"directory of {endpoint}"
    revision = await ledger.config.apply(
        difference.changes, expected=expected, actor=actor, reason=reason
    )
    data = {
        "endpoint": endpoint,
        "rows": difference.rows,
        "unusable": difference.unusable,
        "agencies": difference.agencies,
        "changes": len(difference.changes),
        "revision": revision,
    }
    await ledger.note("directory-read", actor=actor, data=data)
    return revision


class Directories:
    """Keeps the directories of the endpoints that fall to this worker. `start`, then `close`."""

    def __init__(
        self,
        ledger: Ledger,
        live: LiveConfig,
        states: EndpointStates,
        membership: Membership,
        *,
        create: CreateAdapter,
    ) -> None:
        self._ledger = ledger
        self._live = live
        self._states = states
        self._membership = membership
        self._create = create
        self._due: dict[str, tuple[Endpoint, float]] = {}  # monotonic, in seconds
        self._failures: dict[str, int] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = outliving(self._keep_looking, name="directories")

    async def close(self) -> None:
        """What is being read is dropped: nothing of it was applied."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep_looking(self) -> None:
        while True:
            for endpoint in list(self._live.snapshot.endpoints.values()):
                if self._is_due(endpoint):
                    pause = await self._read(endpoint)
                    self._due[endpoint.name] = (endpoint, time.monotonic() + pause)
            await asyncio.sleep(LOOK_SECONDS)

    def _is_due(self, endpoint: Endpoint) -> bool:
        """At once after the start, after a change of the endpoint, and when it falls to us."""
        if not self._membership.owns(endpoint.name) or self._states.of(endpoint.name).paused:
            self._due.pop(endpoint.name, None)
            return False
        known, at = self._due.get(endpoint.name, (None, 0.0))
        return known != endpoint or time.monotonic() >= at

    async def _read(self, endpoint: Endpoint) -> float:
        """Seconds until it is due again. Raises nothing: other directories must be read, too."""
        try:
            adapter = self._create(endpoint)
        except ConfigurationError:  # the worker has said so; mended, it is another endpoint
            return float("inf")
        try:
            if not isinstance(adapter, DirectorySource):
                return float("inf")
            await self._sync(endpoint.name, adapter)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next reading may succeed
            failures = self._failures[endpoint.name] = self._failures.get(endpoint.name, 0) + 1
            text = f"{type(error).__name__}: {error}"[:300]
            log.warning("directory.failing", endpoint=endpoint.name, times=failures, error=text)
            return min(FIRST_PAUSE * 2.0 ** min(failures - 1, 10), LONGEST_PAUSE)
        finally:
            await adapter.close()
        self._failures.pop(endpoint.name, None)
        return adapter.directory_interval

    async def _sync(self, endpoint: str, source: DirectorySource) -> None:
        snapshot = self._live.snapshot
        difference = await compare(source, endpoint, snapshot.directory)
        revision = await apply(
            self._ledger,
            endpoint,
            difference,
            expected=snapshot.revision,
            actor=f"endpoint:{endpoint}",
        )
        log.info(
            "directory.read",
            endpoint=endpoint,
            rows=difference.rows,
            changes=len(difference.changes),
            revision=revision,
        )
