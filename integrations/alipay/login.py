"""Login of the Alipay mini-program."""

from __future__ import annotations

from core.ports import IdKind, LoginRefused, PlatformUser, ProviderRefused, ProviderUnavailable
from integrations.alipay._client import AlipayClient, Clock
from integrations.alipay._schemas import TokenSchema
from integrations.alipay._signing import utc_now
from integrations.alipay.config import AlipayAccount
from integrations.answers import load_answer
from integrations.transport import DEFAULT_TIMEOUTS, Timeouts

REFUSED_CODES = {"isv.code-invalid": "the code is wrong, used, expired, or of another app"}


class AlipayMiniappLogin:
    """Port LoginPlatform. Source: alipay.md 5.2, 5.3."""

    provider = "alipay_miniapp"

    def __init__(
        self, account: AlipayAccount, *, timeouts: Timeouts = DEFAULT_TIMEOUTS, clock: Clock = utc_now
    ) -> None:
        self.app = account.app
        self._id_mode = account.id_mode
        self._client = AlipayClient(account, timeouts=timeouts, clock=clock)

    def exchange_code(self, code: str) -> PlatformUser:
        """Turn the code of my.getAuthCode (single use) into the user. The tokens in the answer are not kept.

        An id has no shape that could be relied on. In OpenID mode there is no user_id, in the older mode no open_id
        that this app could pay with.
        Raises: LoginRefused, ProviderUnavailable (also where calls are limited for now), ProviderRefused when the
        app itself is configured wrongly or the code of the error is unlisted.
        """
        if not code.strip():
            raise LoginRefused("isv.code-invalid", REFUSED_CODES["isv.code-invalid"])
        try:
            told = self._client.call("alipay.system.oauth.token", grant_type="authorization_code", code=code)
        except ProviderRefused as refusal:
            if refusal.code in REFUSED_CODES:
                raise LoginRefused(refusal.code, REFUSED_CODES[refusal.code]) from refusal
            if refusal.too_often:
                raise ProviderUnavailable(f"login refused for now: {refusal}", sent=False) from refusal
            raise
        answer = load_answer(TokenSchema(), told)
        if self._id_mode not in answer:
            raise ProviderUnavailable(f"answer does not fit: {self._id_mode}")
        union_id = answer.get("union_id")
        if self._id_mode is IdKind.USER_ID:
            return PlatformUser(self.provider, self.app, user_id=answer["user_id"], union_id=union_id)
        return PlatformUser(self.provider, self.app, open_id=answer["open_id"], union_id=union_id)
