"""Alipay's public keys of one account: the configured one, and those whose certificates were proven since.

Alipay renews its certificate without asking (alipay.md 3.2): an answer then names another one. Whoever got that answer
fetches it, and all processes share it through the TokenStore port. Whoever receives only reads what is stored, so that
no event can make us call out.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import Certificate

from core.ports import ProviderUnavailable, TokenStore
from integrations.alipay._certs import is_chained, is_in_force, read_certificates, rsa_key, serial_name, subject_name

FETCH_PAUSE = timedelta(minutes=1)
"""The name of a certificate is not signed: whoever makes names up costs us one call a minute."""

LOOK_PAUSE = timedelta(seconds=10)
"""Anybody can send a signature that no key fits: a flood of them costs each process one read in this time."""

MOST_RENEWED = 4

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CertifiedKey:
    """A key and the certificate that vouches for it; without one nobody has set it an end.

    `pem` is that certificate as it was offered, with those of the authorities between it and a root."""

    key: RSAPublicKey
    certificate: Certificate | None = None
    pem: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        return "" if self.certificate is None else serial_name(self.certificate)

    def at(self, now: datetime) -> RSAPublicKey | None:
        """None where the certificate is not in force: whoever holds an old key could sign with it for ever."""
        return self.key if self.certificate is None or is_in_force(self.certificate, now) else None


Fetch = Callable[[], CertifiedKey | None]
"""Asks Alipay for a certificate; None where what came is not proven. Raises: ProviderUnavailable."""


class KeyRing:
    """Without a chain this is key mode: one key, for whatever is named. Until a store is shared it learns nothing."""

    def __init__(
        self,
        key: RSAPublicKey,
        *,
        chain: Sequence[Certificate] = (),
        roots: Sequence[Certificate] = (),
        stored_as: str = "",
    ) -> None:
        self._own = CertifiedKey(key, chain[0] if chain else None)
        self._chain = tuple(chain)
        self._roots = tuple(roots)
        self._stored_as = stored_as
        self._store: TokenStore | None = None
        self._renewed: dict[str, CertifiedKey] = {}
        self._looking = Lock()
        self._looked_at: datetime | None = None

    def share(self, store: TokenStore) -> None:
        """Learn from `store` what other processes have proven, and keep there what this one proves."""
        if self._chain:
            self._store = store

    def all(self, now: datetime) -> tuple[RSAPublicKey, ...]:
        """Those held and in force, the newest first: what comes today is most likely signed with it."""
        known = (*reversed(self._renewed.values()), self._own)
        return tuple(key for one in known if (key := one.at(now)) is not None)

    def each(self, now: datetime) -> Iterator[RSAPublicKey]:
        """`all` one by one, then those that another process has stored since: for what comes in by itself.

        Never calls out. Only who finds no key among those held makes us read the store, once in LOOK_PAUSE."""
        held = self.all(now)
        yield from held
        self._look(now, pause=LOOK_PAUSE)
        yield from (key for key in self.all(now) if key not in held)

    def named(self, name: str | None, now: datetime) -> RSAPublicKey | None:
        """The key of the certificate called `name`, if held and in force; the configured one where none is named."""
        if not self._chain or name in (None, self._own.name):
            return self._own.at(now)
        found = self._renewed.get(name or "")
        return None if found is None else found.at(now)

    def renewed(self, name: str, fetch: Fetch, *, now: datetime) -> RSAPublicKey | None:
        """The key called `name`, out of the store or else fetched: by one process at a time and once a minute."""
        self._look(now)
        if self._store is not None and self.named(name, now) is None:
            try:
                self._store.token(self._stored_as, lambda: self._brought(fetch, now))
            except ProviderUnavailable as error:  # whoever fetches is slow
                log.warning("certificate of Alipay: %s", error)
            self._look(now)
        return self.named(name, now)

    def proven(self, pem: str, *, now: datetime) -> CertifiedKey | None:
        """The key of the first certificate in `pem`, if it is Alipay's for this merchant and signatures lead from it
        to a configured root."""
        offered = read_certificates(pem)
        key = rsa_key(offered[0]) if offered else None
        if key is None:
            return None
        leaf = offered[0]
        if not subject_name(leaf) or subject_name(leaf) != subject_name(self._chain[0]):
            return None
        between = [*offered[1:], *self._chain[1:]]
        return CertifiedKey(key, leaf, pem) if is_chained(leaf, between=between, roots=self._roots, now=now) else None

    def _look(self, now: datetime, *, pause: timedelta = timedelta()) -> None:
        """Hold what is stored, unless that was done less than `pause` ago. Who comes meanwhile waits for it."""
        with self._looking:
            if self._store is None or (self._looked_at is not None and abs(now - self._looked_at) < pause):
                return
            self._looked_at = now
            # A new table in the place of the old one: readers of keys hold no lock.
            self._renewed = {one.name: one for one in self._stored(now)}

    def _stored(self, now: datetime) -> list[CertifiedKey]:
        """Each proven anew: whoever can write to the store is not yet Alipay."""
        text = None if self._store is None else self._store.stored(self._stored_as)
        found = (self.proven(pem, now=now) for pem in json.loads(text or "[]"))
        return [one for one in found if one is not None]

    def _brought(self, fetch: Fetch, now: datetime) -> tuple[str, timedelta]:
        """What to store, and how long until the next fetch. A failure is stored too, so that every process waits."""
        try:
            fetched = fetch()
        except ProviderUnavailable as error:
            log.warning("certificate of Alipay was not fetched: %s", error)
            fetched = None
        known = [*self._stored(now), *([] if fetched is None else [fetched])]
        return json.dumps([one.pem for one in known[-MOST_RENEWED:]]), FETCH_PAUSE
