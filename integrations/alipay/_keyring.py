"""Alipay's public keys of one account: the configured one, and those whose certificates were proven since.

Alipay renews its certificate without asking (alipay.md 3.2): an answer then names another one. It is fetched once,
by an answer to us only; an event from outside never makes us call out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import Certificate

from integrations.alipay._certs import is_chained, is_in_force, read_certificates, rsa_key, serial_name, subject_name

FETCH_PAUSE = timedelta(minutes=1)
"""The name of a certificate is not signed: whoever makes names up costs us one call a minute."""

MOST_RENEWED = 4


@dataclass(frozen=True)
class CertifiedKey:
    """A key and the certificate that vouches for it; without one nobody has set it an end."""

    key: RSAPublicKey
    certificate: Certificate | None = None

    def at(self, now: datetime) -> RSAPublicKey | None:
        """None where the certificate is not in force: whoever holds an old key could sign with it for ever."""
        return self.key if self.certificate is None or is_in_force(self.certificate, now) else None


Fetch = Callable[[], CertifiedKey | None]


class KeyRing:
    """Without a chain this is key mode: one key, for whatever is named."""

    def __init__(
        self, key: RSAPublicKey, *, chain: Sequence[Certificate] = (), roots: Sequence[Certificate] = ()
    ) -> None:
        self._own = CertifiedKey(key, chain[0] if chain else None)
        self._chain = tuple(chain)
        self._roots = tuple(roots)
        self._name = serial_name(chain[0]) if chain else ""
        self._renewed: dict[str, CertifiedKey] = {}
        self._fetching = Lock()
        self._rest_until: datetime | None = None

    def all(self, now: datetime) -> tuple[RSAPublicKey, ...]:
        """Those in force, the newest first: what comes today is most likely signed with it."""
        known = (*reversed(self._renewed.values()), self._own)
        return tuple(key for one in known if (key := one.at(now)) is not None)

    def named(self, name: str | None, now: datetime) -> RSAPublicKey | None:
        """The key of the certificate called `name` while it is in force; the configured one where none is named."""
        if not self._chain or name in (None, self._name):
            return self._own.at(now)
        found = self._renewed.get(name or "")
        return None if found is None else found.at(now)

    def renewed(self, name: str, fetch: Fetch, *, now: datetime) -> RSAPublicKey | None:
        """The key called `name`, fetched by at most one thread at a time and at most once a minute.

        Raises: what `fetch` raises."""
        with self._fetching:
            found = self.named(name, now)
            if found is not None or (self._rest_until is not None and now < self._rest_until):
                return found
            self._rest_until = now + FETCH_PAUSE
            fetched = fetch()
            if fetched is None:
                return None
            # A new table in the place of the old one: readers hold no lock.
            self._renewed = dict([*self._renewed.items(), (name, fetched)][-MOST_RENEWED:])
            return fetched.at(now)

    def proven(self, name: str, pem: str, *, now: datetime) -> CertifiedKey | None:
        """The key of the certificate in `pem`, if it is called `name`, is Alipay's for this merchant, and signatures
        lead from it to a configured root."""
        offered = read_certificates(pem)
        if not offered or serial_name(offered[0]) != name:
            return None
        leaf, key = offered[0], rsa_key(offered[0])
        if key is None:
            return None
        if not subject_name(leaf) or subject_name(leaf) != subject_name(self._chain[0]):
            return None
        between = [*offered[1:], *self._chain[1:]]
        return CertifiedKey(key, leaf) if is_chained(leaf, between=between, roots=self._roots, now=now) else None
