"""Accept items: what travels beside records and steps (schemas.flows), each a message of its own.

The engine knows an item's identity, order key and receivers, and nothing of what it says; a portal
names receivers by national codes, which the mapping tables turn into the directory's.
"""

from __future__ import annotations

from bus.engine.accept import Acceptor, Letter
from bus.engine.accept_dossier import Source, accept_letter, own_code
from bus.ledger.records import Receipt
from routing.mapping import Unmapped
from schemas.errors import InvalidRequest
from schemas.flows import Item, Rating
from schemas.message import Body, ItemBody, Lane, RatingBody
from schemas.vietnam import day_of


async def accept_item(acceptor: Acceptor, item: Item, agency: str, source: Source) -> Receipt:
    """Durable when it returns. `agency` sends it.

    Raises InvalidRequest (it is another agency's word), DuplicateMessage (its identity was accepted
    with other content), UnknownReceiver, TooLarge, LedgerUnavailable.
    """
    receivers = tuple(_directory_code(acceptor, code) for code in item.receivers)
    sender = own_code(acceptor, agency)
    if item.told_by is not None and own_code(acceptor, item.told_by) != sender:
        raise InvalidRequest(
            f"it is the word of {item.told_by}, not of {agency[:50]}",
            vi=f"Nội dung là của {item.told_by}, không phải của {agency[:50]}",
            field="agency",
        )
    letter = Letter(
        _body(item, sender),
        agency,
        receivers,
        item.key,
        Lane.NORMAL,
        source.media_type,
        record=item.model_dump_json(by_alias=True),
    )
    return await accept_letter(acceptor, letter, sender, ref_of(item), source, derived=False)


def ref_of(item: Item) -> str:
    """The sender's id of the message: what a repeat is recognised by."""
    return f"{item.kind}:{item.identity}"


def _body(item: Item, agency: str) -> Body:
    """`agency`: own code of the sender, who may rate for itself only."""
    if isinstance(item, Rating):
        return RatingBody(
            code=item.code,
            agency=agency,
            score=item.score,
            service=item.service,
            at=item.at,
        )
    return ItemBody.model_validate({"kind": item.kind, "code": item.key, "identity": item.identity})


def _directory_code(acceptor: Acceptor, code: str) -> str:
    """The local code of a national one; as given where the tables do not tell."""
    snapshot = acceptor.live.snapshot
    on = day_of(acceptor.ledger.clock())
    if snapshot.directory.resolve(code, on).agency is not None:
        return code
    found = snapshot.mappings.local("agency", code, on)
    return code if isinstance(found, Unmapped) else found
