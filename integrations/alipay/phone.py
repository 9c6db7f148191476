"""The phone number that my.getPhoneNumber hands to the client, signed and encrypted by Alipay (alipay.md 5.5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from core.ports import InvalidSignature, PhoneRefused, ProviderError, ProviderRefused
from integrations.alipay._client import Clock
from integrations.alipay._codes import SUCCESS, failure_of
from integrations.alipay._signing import open_content, utc_now, verify
from integrations.alipay.config import AlipayAccount
from integrations.transport import strict_object

COUNTRY = "+86"
LONGEST_RESPONSE = 4096

_MOBILE = re.compile(r"1[0-9]{10}")


class AlipayPhoneProver:
    """Port PhoneProver. Makes no call: the payload proves itself.

    It names no user, no time and no nonce, so somebody else's captured one proves as well: the core takes it from
    whoever is logged in, as that login's own claim.
    """

    provider = "alipay_miniapp"
    takes = frozenset({"response", "sign"})

    def __init__(self, account: AlipayAccount, *, clock: Clock = utc_now) -> None:
        self.app = account.app
        self._clock = clock
        self._keys = account.keys
        self._content_key = None if account.aes_key is None else account.content_key()

    def read_phone(self, proof: Mapping[str, str], *, user: str) -> str:
        """Verify, then open.

        Raises: PhoneRefused (`missing_sign`, `not_proven`, `unreadable`, `unsupported_number`, or Alipay's own code),
        ProviderUnavailable when Alipay could not tell it, ProviderRefused when our app is configured wrongly.
        """
        response, sign = proof.get("response", ""), proof.get("sign", "")
        if not sign:
            raise PhoneRefused("missing_sign")  # the console has no public key of ours (5.5)
        if len(response) > LONGEST_RESPONSE:
            raise PhoneRefused("unreadable")
        is_plain = response.startswith("{")
        try:
            verify(self._keys.each(self._clock()), (response if is_plain else f'"{response}"').encode(), sign)
        except (InvalidSignature, ValueError):
            raise PhoneRefused("not_proven") from None
        content = self._content(response, is_plain=is_plain)
        code = content.get("code")
        if code != SUCCESS:
            raise _failure(content)
        mobile = content.get("mobile")
        if is_plain or not isinstance(mobile, str):  # only failures come in plain
            raise PhoneRefused("unreadable")
        if _MOBILE.fullmatch(mobile) is None:
            raise PhoneRefused("unsupported_number")
        return COUNTRY + mobile

    def _content(self, response: str, *, is_plain: bool) -> dict[str, Any]:
        """Raises: PhoneRefused, ProviderRefused."""
        if not is_plain and self._content_key is None:
            raise ProviderRefused("no_aes_key", retryable=True)
        try:
            return strict_object(
                response.encode()
                if self._content_key is None or is_plain
                else open_content(self._content_key, response)
            )
        except (InvalidSignature, ValueError):
            # Not chained: an error of json holds the number.
            raise PhoneRefused("unreadable") from None


def _failure(content: Mapping[str, Any]) -> ProviderError:
    """In this payload names are camelCase: subCode."""
    error = failure_of(content, proven=True)
    if isinstance(error, ProviderRefused) and not error.retryable:
        return PhoneRefused(error.code)
    return error
