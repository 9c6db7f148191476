"""What a WeChat client must know. Checked when it is made, so that a wrong key stops the start and not a patient.

An error names the field and never shows its value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from integrations.accounts import DIGITS, WORD, require_match, require_plain_url
from integrations.wechat._keys import SMALLEST_RSA_BITS, KeyRing, PlatformKey, certificate, public_key

MINIAPP_URL = "https://api.weixin.qq.com"
MERCHANT_URL = "https://api.mch.weixin.qq.com"
MERCHANT_URLS = (MERCHANT_URL, "https://api2.mch.weixin.qq.com")
APIV3_KEY_BYTES = 32
LONGEST_NOTIFY_URL = 255

_HEX = re.compile(r"[0-9A-Fa-f]{1,64}")


@dataclass(frozen=True)
class MiniappAccount:
    """One mini-program: `app` is our name of it, `appid` WeChat's. Of one that is `trade_managed`, WeChat keeps the
    money until a delivery is reported (wechat.md 1.10). Raises: ValueError."""

    app: str
    appid: str
    secret: str = field(repr=False)
    base_url: str = MINIAPP_URL
    trade_managed: bool = False

    def __post_init__(self) -> None:
        require_match(WORD, "app", self.app)
        require_match(WORD, "appid", self.appid)
        require_match(WORD, "secret", self.secret)
        require_plain_url("base_url", self.base_url)


@dataclass(frozen=True)
class MerchantAccount:
    """One merchant number that takes money (wechat.md 4.3): one of its own, or with `sub_mchid` the sub-merchant's, for
    which the partner `mchid` signs (4.10).

    `merchant` is our name of it. `appid` is the app it was made for, `bound_appids` are further ones that may pay to
    it. `serial_no` is the serial of the merchant's own certificate, which WeChat uses to find the key behind our
    signatures. What proves WeChat's word is its public key (`public_key_id`, PUB_KEY_ID_…, with `public_key_pem`: the
    only kind that new merchants get), its `platform_certificates` (PEM; empty: to be fetched), or both during a
    switch-over; None says that a kind is not used. With a `sub_mchid` all of these are the partner's, and
    `sub_appids` are the apps of the sub-merchant that may pay to it. `h5` says that it may be paid from a browser.
    Raises: ValueError.
    """

    merchant: str
    mchid: str
    appid: str
    serial_no: str
    private_key_pem: str = field(repr=False)
    apiv3_key: str = field(repr=False)
    public_key_id: str | None = None
    public_key_pem: str | None = field(default=None, repr=False)
    platform_certificates: tuple[str, ...] | None = field(default=None, repr=False)
    bound_appids: tuple[str, ...] = ()
    base_url: str = MERCHANT_URL
    h5: bool = False
    sub_mchid: str | None = None
    sub_appids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_match(WORD, "merchant", self.merchant)
        require_match(DIGITS, "mchid", self.mchid)
        require_match(WORD, "appid", self.appid)
        for name in ("bound_appids", "sub_appids"):
            for appid in getattr(self, name):
                require_match(WORD, name, appid)
        self._check_sub()
        require_match(_HEX, "serial_no", self.serial_no)
        if len(self.apiv3_key.encode()) != APIV3_KEY_BYTES:
            raise ValueError(f"apiv3_key must be {APIV3_KEY_BYTES} bytes long")
        self.private_key()
        self.configured_keys()
        require_plain_url("base_url", self.base_url)

    def _check_sub(self) -> None:
        """Raises: ValueError."""
        if self.sub_mchid is not None:
            require_match(DIGITS, "sub_mchid", self.sub_mchid)
            if self.sub_mchid == self.mchid:
                raise ValueError("sub_mchid is the partner's own")
        elif self.sub_appids:
            raise ValueError("sub_appids belong to a sub_mchid")
        if set(self.sub_appids) & {self.appid, *self.bound_appids}:
            raise ValueError("sub_appids are not the partner's own")

    @property
    def appids(self) -> tuple[str, ...]:
        """Of all the apps that may pay to it."""
        return (*self.sub_appids, self.appid, *self.bound_appids)

    def signs_like(self, other: MerchantAccount) -> bool:
        """Whether both speak and are spoken to under the same keys, as all rows of one `mchid` must."""
        return self._keys == other._keys

    @property
    def _keys(self) -> tuple[object, ...]:
        theirs = (self.public_key_id, self.public_key_pem, self.platform_certificates)
        return (self.serial_no, self.private_key_pem, self.apiv3_key, self.base_url, *theirs)

    @property
    def has_certificates(self) -> bool:
        """Whether WeChat may still sign for this merchant with a platform certificate."""
        return self.platform_certificates is not None

    def private_key(self) -> RSAPrivateKey:
        """The key that signs what we send. Raises: ValueError."""
        return _private_key(self.private_key_pem)

    def configured_keys(self) -> KeyRing:
        """What the configuration holds to prove WeChat's word. Raises: ValueError."""
        if (self.public_key_id is None) != (self.public_key_pem is None):
            raise ValueError("public_key_id and public_key_pem belong together")
        keys: list[PlatformKey] = []
        if self.public_key_id is not None and self.public_key_pem is not None:
            require_match(WORD, "public_key_id", self.public_key_id)
            keys.append(_read("public_key_pem", public_key, self.public_key_id, self.public_key_pem))
        elif self.platform_certificates is None:
            raise ValueError("public_key_id with public_key_pem or platform_certificates is needed")
        for pem in self.platform_certificates or ():
            keys.append(_read("platform_certificates", certificate, pem))
        return KeyRing(keys)


def require_appid(account: MerchantAccount, appid: str) -> str:
    """Return `appid` if it may pay to the account. Raises: ValueError."""
    if appid not in account.appids:
        raise ValueError(f"appid is not one of merchant {account.merchant}")
    return appid


def require_notify_url(name: str, url: str) -> str:
    """Return `url` if WeChat Pay would take it: absolute, at most 255 characters, no query (4.4).

    Raises: ValueError.
    """
    require_plain_url(name, url)
    if len(url) > LONGEST_NOTIFY_URL:
        raise ValueError(f"{name} is longer than {LONGEST_NOTIFY_URL} characters")
    return url


@lru_cache(maxsize=256)
def _private_key(pem: str) -> RSAPrivateKey:
    """Remembered: all that speak for a merchant ask for it, and its primes are proved anew by each reading."""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # Not chained: nothing that read the key may speak about it.
        raise ValueError("private_key_pem is not an unencrypted PEM private key") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < SMALLEST_RSA_BITS:
        raise ValueError(f"private_key_pem must be an RSA key of {SMALLEST_RSA_BITS} bits or more")
    return key


def _read(name: str, read: Callable[..., PlatformKey], *texts: str) -> PlatformKey:
    try:
        return read(*texts)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None
