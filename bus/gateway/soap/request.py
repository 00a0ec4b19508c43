"""One SOAP request, read as far as it is needed: the rest of it is the packet."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from bus.gateway.limits import GatewayLimits
from bus.gateway.problems import StatusError
from bus.gateway.soap.envelope import Envelope
from bus.gateway.soap.versions import V11, V12
from schemas.errors import InvalidRequest, TooLarge
from schemas.multipart import Item, MediaType, Part, parts, whole
from schemas.xml import Events, Limits

XOP = "application/xop+xml"
_SERVED = frozenset({V11.media_type, V12.media_type})
_RELATED = "multipart/related"
_ELEMENTS = 2_000  # of an envelope: the largest request has some forty


class Request:
    """An envelope that is being read, and the packet in it or behind it."""

    def __init__(self, items: AsyncIterator[Item], limits: GatewayLimits, *, mtom: bool) -> None:
        self.envelope = Envelope(max_text=limits.max_json)
        self.mtom = mtom
        self._items = items
        self._max_head = limits.max_json
        size = limits.max_packet * 2 + limits.max_json  # the body's own limit is the lower one
        self._events = Events(
            self.envelope, Limits(size=size, elements=_ELEMENTS, attributes=_ELEMENTS)
        )

    async def begin(self) -> None:
        """Reads the envelope to its end, or to where the text of the packet begins.

        Raises InvalidRequest and its kind, TooLarge.
        """
        size = 0
        async for item in self._items:
            if item == "end":
                self._events.close()
                break
            if isinstance(item, Part):
                continue
            size += len(item)
            self._events.feed(item)
            if self.envelope.inline:
                break
            if size > self._max_head:
                raise TooLarge(
                    f"an envelope without its packet may hold {self._max_head:,} bytes",
                    vi=f"Phong bì không kể gói tin chỉ được {self._max_head:,} byte",
                    limit=self._max_head,
                )

    async def packet(self) -> AsyncGenerator[bytes]:
        """The packet in pieces. It ends only when the whole request was there and well-formed."""
        if not self.envelope.has_packet:
            raise InvalidRequest("packet is missing", vi="Thiếu packet", field="packet")
        rest = self._inline() if self.envelope.include is None else self._attached()
        async with aclosing(rest):
            async for piece in rest:
                yield piece

    async def _inline(self) -> AsyncGenerator[bytes]:
        yield self.envelope.take()
        async for item in self._items:
            if item == "end":
                self._events.close()
            elif not isinstance(item, Part):
                self._events.feed(item)
                yield self.envelope.take()

    async def _attached(self) -> AsyncGenerator[bytes]:
        found = wanted = False
        async for item in self._items:
            if isinstance(item, Part):
                wanted = item.content_id == self.envelope.include
                if wanted and found:
                    raise InvalidRequest("two parts with one Content-ID", vi="Trùng Content-ID")
                found = found or wanted
            elif wanted and item != "end":
                yield item
        if not found:
            raise InvalidRequest(
                "the part that xop:Include names is missing or stands before the envelope",
                vi="Thiếu phần mà xop:Include nêu, hoặc nó đứng trước phong bì",
            )


@asynccontextmanager
async def opened(
    body: AsyncIterator[bytes], media: MediaType, limits: GatewayLimits
) -> AsyncIterator[Request]:
    """Raises StatusError for a media type that is not SOAP's."""
    if media.name in _SERVED:
        items = whole(body)
    elif media.name == _RELATED and media.parameters.get("type", "").lower() == XOP:
        items = parts(body, media)
    else:
        raise _unsupported()
    async with aclosing(items):
        yield Request(items, limits, mtom=media.name == _RELATED)


def _unsupported() -> StatusError:
    served = f'{V11.media_type}, {V12.media_type}, {_RELATED}; type="{XOP}"'
    error = InvalidRequest(
        f"Content-Type must be one of {served}", vi=f"Content-Type phải là một trong: {served}"
    )
    return StatusError(error, 415)
