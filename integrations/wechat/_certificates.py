"""The keys of one merchant number, configured and fetched, shared by all processes through the TokenStore port.

Whoever sends fetches the platform certificates: at first need, and then each hour. Whoever receives only reads what is
configured or stored, so that no message can make us call out. Source: wechat.md 4.3.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from marshmallow import ValidationError

from core.ports import InvalidSignature, ProviderError, ProviderUnavailable, TokenStore
from integrations.answers import load
from integrations.transport import Answer, strict_object
from integrations.wechat._keys import KeyRing, PlatformKey, certificate
from integrations.wechat._schemas import CertificatesSchema
from integrations.wechat._signing import AEAD_ALGORITHM, open_sealed, prove
from integrations.wechat.config import MerchantAccount

PATH = "/v3/certificates"
ASSOCIATED_DATA = "certificate"
RENEWED_AFTER = timedelta(hours=1)
"""WeChat asks for 12 hours at most. A new certificate shows up 10 days before it is needed."""
SHORTEST_PAUSE = timedelta(minutes=1)
"""Between two fetches, whatever came of the first."""

log = logging.getLogger(__name__)

Fetch = Callable[[KeyRing], Answer]
"""Asks for PATH, for an answer by the best of these keys; gives back what came, unproven. Raises: ProviderError."""


class MerchantKeys:
    """What proves WeChat's word for one merchant number. Implements Keys, for what comes in by itself."""

    def __init__(self, account: MerchantAccount, store: TokenStore) -> None:
        self._configured = account.configured_keys()
        self._has_certificates = account.has_certificates
        self._apiv3_key = account.apiv3_key.encode()
        self._store = store
        self._name = f"wechat_pay_certificates:{account.mchid}"
        self._last_read: tuple[str, KeyRing] = ("", KeyRing())

    def find(self, serial: str, now: datetime) -> RSAPublicKey:
        """Never calls out. Raises: InvalidSignature `unknown_serial`, `not_in_force`."""
        return (self._configured if serial in self._configured else self._stored()).find(serial, now)

    def fresh(self, fetch: Fetch, now: datetime) -> KeyRing:
        """The keys for one exchange of ours; fetches the certificates where that is due.

        Raises: ProviderUnavailable (unsent) while there is nothing to prove an answer with.
        """
        if self._has_certificates:
            self._renew(fetch, now)
        ring = self._configured | self._stored()
        if ring.best(now) is None:
            raise ProviderUnavailable("no key of WeChat Pay to prove an answer with", sent=False)
        return ring

    def looked_up_again(self, fetch: Fetch, now: datetime) -> KeyRing:
        """The keys after an answer with an unknown serial: fetched anew, unless that was done within a minute."""
        text = self._store.stored(self._name) if self._has_certificates else None
        if text is not None and abs(now - datetime.fromisoformat(json.loads(text)["asked_at"])) >= SHORTEST_PAUSE:
            self._renew(fetch, now, rejected=text)
        return self._configured | self._stored()

    def _renew(self, fetch: Fetch, now: datetime, *, rejected: str | None = None) -> None:
        try:
            self._store.token(self._name, lambda: self._fetched(fetch, now), rejected=rejected)
        except ProviderUnavailable as error:  # whoever fetches is slow: what is there may do
            log.warning("certificates of WeChat Pay: %s", error)

    def _fetched(self, fetch: Fetch, now: datetime) -> tuple[str, timedelta]:
        """What to store, and how long until the next fetch. A failure is stored too, so that every process waits."""
        old = self._stored()
        known = self._configured | old
        try:
            ring, lasts = open_certificates(fetch(known), self._apiv3_key, known, now), RENEWED_AFTER
        except (ProviderError, InvalidSignature) as error:
            log.warning("certificates of WeChat Pay were not renewed: %s", error)
            ring, lasts = old, SHORTEST_PAUSE
        kept = [key.pem for key in ring if key.is_in_force(now)]
        return json.dumps({"asked_at": now.isoformat(), "certificates": kept}), lasts

    def _stored(self) -> KeyRing:
        text = self._store.stored(self._name) if self._has_certificates else None
        last, ring = self._last_read
        if text is not None and text != last:
            ring = KeyRing(certificate(pem) for pem in json.loads(text)["certificates"])
            self._last_read = (text, ring)
        return ring


def open_certificates(answer: Answer, apiv3_key: bytes, known: KeyRing, now: datetime) -> KeyRing:
    """Open the answer to PATH, then prove it by a key that was known or is inside.

    At the first time only the seal is there to trust: it opens with the APIv3 key alone, which WeChat and we hold.
    Raises: ProviderUnavailable, InvalidSignature.
    """
    ring = unsealed(answer.body, apiv3_key)
    prove(answer.headers, answer.body, keys=known | ring, now=now)
    return ring


def unsealed(body: bytes, apiv3_key: bytes) -> KeyRing:
    """What the seals hold; that the answer as a whole is WeChat's is not proven by them.

    Raises: ProviderUnavailable, InvalidSignature.
    """
    try:
        told = load(CertificatesSchema(), strict_object(body))["data"]
        return KeyRing(_opened(each["serial_no"], each["encrypt_certificate"], apiv3_key) for each in told)
    except (ValueError, ValidationError):
        # Not chained: both kinds of error carry what they could not read.
        raise ProviderUnavailable("certificates do not fit") from None


def _opened(serial: str, sealed: dict[str, str], apiv3_key: bytes) -> PlatformKey:
    """Raises: ValueError, InvalidSignature."""
    if (sealed["algorithm"], sealed["associated_data"]) != (AEAD_ALGORITHM, ASSOCIATED_DATA):
        raise ValueError("sealed in another way")
    plain = open_sealed(
        apiv3_key, nonce=sealed["nonce"], associated_data=ASSOCIATED_DATA, ciphertext=sealed["ciphertext"]
    )
    key = certificate(plain.decode())
    if key.serial != serial:
        raise ValueError("another serial inside")
    return key
