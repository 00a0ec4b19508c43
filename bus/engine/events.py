"""Every committed change of state as CloudEvents 1.0, for whoever subscribes.

One broker message holds the events of one type from one commit, in the JSON batch format
(CloudEvents JSON format §4).  Events are news, not records: they are sent after the commit, without
confirmation, and are dropped while the broker is away.  The journal is the record.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from bus.broker.port import Event
from bus.ledger import accesses, service_jobs
from bus.ledger.journal import JournalTuple
from schemas.instant import to_iso

TYPE_PREFIX = "vn.gov.lgsp."

_UNCOVERED = {"personal-data-revealed", "original-downloaded"}  # in the console
_NO_NEWS = accesses.JOURNALLED | service_jobs.JOURNALLED | _UNCOVERED


def of_entries(entries: Sequence[JournalTuple]) -> list[Event]:
    """The events of one commit; the routing key is the type without its prefix.

    Who asked about whom, who logged in and who uncovered what is no news: it stays in the ledger.
    """
    batches: dict[str, list[dict[str, object]]] = {}
    for entry in entries:
        if entry[3] in _NO_NEWS or entry[3].startswith("console-"):
            continue
        batches.setdefault(entry[3], []).append(_event(entry))
    return [Event(name, orjson.dumps(batch)) for name, batch in batches.items()]


def _event(entry: JournalTuple) -> dict[str, object]:
    chain, seq, at, event, message_id, delivery_id, actor, data, _ = entry
    body: dict[str, object] = {"actor": actor, "details": orjson.Fragment(data)}
    if delivery_id is not None:
        body["deliveryId"] = delivery_id
    return {
        "specversion": "1.0",
        "id": f"{chain}/{seq}",
        "source": "/lgsp/ledger",
        "type": TYPE_PREFIX + event,
        "time": to_iso(at),
        "subject": message_id or "",
        "datacontenttype": "application/json",
        "data": body,
    }
