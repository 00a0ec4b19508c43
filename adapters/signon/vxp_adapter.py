"""The headers that a province's VXP/VDXP adapter asks for.

Source: public clients of the population database. `Authorization` is HTTP Basic whose password is
the SHA-256, in hex, of address, user, timestamp and secret written one after another.
"""

from __future__ import annotations

import hashlib
import time

from yarl import URL

from adapters.signon.config import VxpAdapterConfig
from adapters.signon.plain import Base, Http, Secrets, basic, header_secret, put_header, text_secret
from adapters.signon.port import PartnerCall

_SOAP_11 = "text/xml"


class VxpAdapter(Base):
    def __init__(self, config: VxpAdapterConfig, secrets: Secrets, http: Http) -> None:
        super().__init__(config, secrets, http)
        self._config = config
        self._secret = text_secret(config.secret, secrets)
        self._api_key = config.api_key and header_secret(config.api_key, secrets)

    async def sign(self, call: PartnerCall) -> None:
        config = self._config
        self._prove(call)
        put_header(call, "X-Road-Client", config.client)
        if self._api_key:
            put_header(call, "ApiKey", self._api_key)
        query = {}
        if config.dstcode is not None and config.dstcode_in == "header":
            put_header(call, "dstcode", config.dstcode)
        elif config.dstcode is not None:
            query["dstcode"] = config.dstcode
        if config.provider_url is not None:
            query["providerurl"] = config.provider_url
        if query:
            call.url = str(URL(call.url).update_query(query))
        if call.soap and call.headers.get("Content-Type", "").startswith(_SOAP_11):
            put_header(call, "Content-Type", "application/xml; charset=utf-8")
            put_header(call, "SOAPAction", '""')

    def _prove(self, call: PartnerCall) -> None:
        now = time.time()
        stamp = str(int(now * 1000) if self._config.timestamp == "milliseconds" else int(now))
        address = self._config.service_url or call.url
        text = f"{address}{self._config.user}{stamp}{self._secret}"
        proof = basic(self._config.user, hashlib.sha256(text.encode()).hexdigest())
        if self._config.proof_header == "AuthHash":
            proof = proof.removeprefix("Basic ")
        put_header(call, "Timestamp", stamp)
        put_header(call, self._config.proof_header, proof)
