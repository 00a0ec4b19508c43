"""The configuration a running process works with; follows the ledger within a second."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import structlog

from bus.ledger.config_store import MODELS, ConfigItem, ConfigStore, Item
from routing.directory import Directory
from routing.mapping import MappingTables
from routing.subscription import SubscriptionTable
from routing.table import RouteTable, parse_pattern
from schemas.dossier.calendar import WorkingCalendar
from schemas.dossier.procedure import Procedure
from schemas.errors import ConfigurationError, Unavailable
from schemas.province import Agency, Client, Endpoint, Holidays, Route, Subscription, calendar_of
from schemas.province import Mapping as MappedCode
from schemas.service import Feed, Grant, Service

ANSWER_SECONDS = 30.0
"""A read of the ledger that takes longer is given up and tried again."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One revision of the configuration, never changed; hold on to it for the whole of a task."""

    revision: int
    directory: Directory
    routes: RouteTable  # iterates over Route in the order they are tried
    subscriptions: SubscriptionTable
    mappings: MappingTables  # the same object as long as no mapping changes
    procedures: Mapping[str, Procedure]
    calendar: WorkingCalendar
    endpoints: Mapping[str, Endpoint]
    clients: Mapping[str, Client]
    services: Mapping[str, Service]  # by name@version
    grants: tuple[Grant, ...]
    feeds: Mapping[str, Feed]


class LiveConfig:
    """Loads the configuration, then follows it for as long as the process lives.

    While the ledger does not answer, the last snapshot stays. An item that this version cannot
    use is logged and keeps its last good value; the rest goes on.
    """

    def __init__(self, config: ConfigStore, *, poll: float = 0.5) -> None:
        """`poll` is in seconds."""
        self._config = config
        self._poll = poll
        self._good = _LastGood()
        self._snapshot: Snapshot | None = None
        self._callbacks: list[Callable[[Snapshot], None]] = []
        self._follower: asyncio.Task[None] | None = None
        self._failing = False

    @property
    def snapshot(self) -> Snapshot:
        """The latest one. Raises Unavailable before the first was loaded."""
        if self._snapshot is None:
            raise Unavailable(
                "the configuration is not loaded yet", vi="chưa nạp xong cấu hình", retry_after=1
            )
        return self._snapshot

    def on_change(self, callback: Callable[[Snapshot], None]) -> None:
        """Calls back with every later snapshot, on the event loop; must return at once."""
        self._callbacks.append(callback)

    async def start(self) -> None:
        """Returns once the first snapshot is there, however long the ledger takes to answer."""
        while self._snapshot is None:
            await self._refresh()
            if self._snapshot is None:
                await asyncio.sleep(self._poll)
        self._follower = asyncio.create_task(self._follow(), name="live-config")

    async def close(self) -> None:
        if self._follower is not None:
            self._follower.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._follower

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._poll)
            await self._refresh()

    async def _refresh(self) -> None:
        """One look at the ledger. Never raises: following must outlive every failure."""
        try:
            await self._catch_up()
        except Exception as error:  # logged once, not twice a second
            if not self._failing:
                log.warning("config_not_read", error=type(error).__name__, exc_info=error)
            self._failing = True
        else:
            if self._failing:
                log.info("config_read_again")
            self._failing = False

    async def _catch_up(self) -> None:
        known = -1 if self._snapshot is None else self._snapshot.revision
        async with asyncio.timeout(ANSWER_SECONDS):
            latest = await self._config.revision()
            if latest == known:
                return
            if latest < known:  # the ledger was restored from a backup: begin anew
                self._good, known = _LastGood(), 0
            items = await self._config.items(since=max(known, 0))
        revision = max((item.revision for item in items), default=latest)
        self._snapshot = await asyncio.to_thread(self._good.merge, items, revision)
        log.info("config_loaded", revision=revision, items=len(items))
        self._tell(self._snapshot)

    def _tell(self, snapshot: Snapshot) -> None:
        for callback in self._callbacks:
            try:
                callback(snapshot)
            except Exception:
                log.exception("config_callback_failed")


class _LastGood:
    """The last usable value of every item. Used by one thread at a time."""

    def __init__(self) -> None:
        self._items: dict[str, dict[str, Item]] = {kind: {} for kind in MODELS}
        self._directory = Directory(())
        self._mappings = MappingTables(())

    def merge(self, items: list[ConfigItem], revision: int) -> Snapshot:
        """Takes the items over and builds a snapshot.

        Runs off the event loop: reading 123,000 agencies takes a second or two.
        """
        for item in items:
            try:
                self._take(item)
            except ConfigurationError as error:
                log.warning(
                    "config_item_unusable", kind=item.kind, item=item.name, why=error.detail.vi
                )
        if any(item.kind == "agency" for item in items):
            self._rebuild_directory()
        if any(item.kind == "mapping" for item in items):
            self._rebuild_mappings()
        routes = (each for each in self._items["route"].values() if isinstance(each, Route))
        subscriptions = (
            each for each in self._items["subscription"].values() if isinstance(each, Subscription)
        )
        declared = self._items["procedure"].values()
        procedures = {each.code: each for each in declared if isinstance(each, Procedure)}
        endpoints = {n: e for n, e in self._items["endpoint"].items() if isinstance(e, Endpoint)}
        clients = {n: c for n, c in self._items["client"].items() if isinstance(c, Client)}
        services = {n: s for n, s in self._items["service"].items() if isinstance(s, Service)}
        grants = tuple(g for g in self._items["grant"].values() if isinstance(g, Grant))
        feeds = {n: f for n, f in self._items["feed"].items() if isinstance(f, Feed)}
        return Snapshot(
            revision,
            self._directory,
            RouteTable(routes),
            SubscriptionTable(subscriptions),
            self._mappings,
            MappingProxyType(procedures),
            self._calendar(),
            MappingProxyType(endpoints),
            MappingProxyType(clients),
            MappingProxyType(services),
            grants,
            MappingProxyType(feeds),
        )

    def _take(self, item: ConfigItem) -> None:
        parsed = item.parse()
        if isinstance(parsed, Route):
            parse_pattern(parsed.sender)
            parse_pattern(parsed.receiver)
        if isinstance(parsed, Subscription):
            parse_pattern(parsed.sender)
        if parsed is not None:
            self._items[item.kind][item.name] = parsed
        elif item.kind in self._items:
            self._items[item.kind].pop(item.name, None)

    def _rebuild_directory(self) -> None:
        agencies = (each for each in self._items["agency"].values() if isinstance(each, Agency))
        try:
            self._directory = Directory(agencies)
        except ConfigurationError as error:
            log.warning("directory_unusable", why=error.detail.vi)

    def _calendar(self) -> WorkingCalendar:
        declared = self._items["holidays"].values()
        return calendar_of(each for each in declared if isinstance(each, Holidays))

    def _rebuild_mappings(self) -> None:
        entries = (each for each in self._items["mapping"].values() if isinstance(each, MappedCode))
        try:
            self._mappings = MappingTables(entries)
        except ConfigurationError as error:
            log.warning("mappings_unusable", why=error.detail.vi)
