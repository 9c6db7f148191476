"""The registry: which platform, app and merchant is served by which adapter. The one place where a name decides."""

from __future__ import annotations

from typing import TypeVar

from core.ports import (
    AppGateway,
    Conversation,
    FaceVerifier,
    LoginPlatform,
    MessageReader,
    MiniappLinks,
    OfficialAccount,
    PageLogin,
    PaymentGateway,
    PhoneProver,
    TokenStore,
)
from core.registry import NotConfigured
from integrations.wechat import (
    MerchantAccount,
    MiniappAccount,
    WeChatFaceVerifier,
    WeChatMiniappLogin,
    WeChatPayGateway,
    WeChatPayMessageReader,
    WeChatPhoneProver,
)
from miniapp_api.config import Config

T = TypeVar("T")


class Registry:
    """Implements core.ports.Adapters from the accounts of the configuration. Makes no call to anybody.

    A payment needs a merchant account and a mini-program whose appid stands in its row: a merchant serves those, and
    no other.
    """

    def __init__(self, config: Config, tokens: TokenStore) -> None:
        self._logins: dict[tuple[str, str], LoginPlatform] = {}
        self._faces: dict[tuple[str, str], FaceVerifier] = {}
        self._gateways: dict[tuple[str, str, str], PaymentGateway] = {}
        self._payers: dict[tuple[str, str, str], list[PaymentGateway]] = {}
        self._readers: dict[tuple[str, str], MessageReader] = {}
        self._phones: dict[tuple[str, str], PhoneProver] = {}
        self._pages: dict[str, PageLogin] = {}
        self._conversations: dict[str, Conversation] = {}
        self._officials: dict[str, OfficialAccount] = {}
        self._links: dict[tuple[str, str], MiniappLinks] = {}
        self._app_gateways: dict[str, AppGateway] = {}
        for miniapp in config.platforms.wechat_miniapp:
            self._add_miniapp(miniapp, tokens)
        for merchant in config.platforms.wechat_pay:
            self._add_merchant(merchant, config.platforms.wechat_miniapp, tokens, config.public_base_url)

    def login(self, provider: str, app: str | None) -> LoginPlatform:
        if app is not None:
            return _found(self._logins.get((provider, app)))
        return _found(next((login for (name, _), login in self._logins.items() if name == provider), None))

    def face_verifiers(self, provider: str, app: str) -> list[FaceVerifier]:
        if (provider, app) not in self._logins:
            return []
        own = {WeChatMiniappLogin.provider: [WeChatFaceVerifier.method]}.get(provider, [])
        return [verifier for (method, at), verifier in self._faces.items() if method in own and at == app]

    def face_verifier(self, method: str, app: str) -> FaceVerifier:
        return _found(self._faces.get((method, app)))

    def gateway(self, channel: str, merchant: str | None, *, provider: str, app: str) -> PaymentGateway:
        able = self._payers.get((channel, provider, app), [])
        return _found(next((gateway for gateway in able if merchant in (None, gateway.merchant)), None))

    def gateway_of(self, channel: str, merchant: str, app: str) -> PaymentGateway:
        return _found(self._gateways.get((channel, merchant, app)))

    def reader(self, provider: str, merchant: str) -> MessageReader:
        return _found(self._readers.get((provider, merchant)))

    def phone_prover(self, provider: str, app: str) -> PhoneProver:
        return _found(self._phones.get((provider, app)))

    def page_login(self, app: str) -> PageLogin:
        return _found(self._pages.get(app))

    def conversation(self, app: str) -> Conversation:
        return _found(self._conversations.get(app))

    def official_account(self, app: str | None) -> OfficialAccount:
        if app is not None:
            return _found(self._officials.get(app))
        return _found(next(iter(self._officials.values()), None))

    def miniapp_links(self, provider: str, app: str) -> MiniappLinks:
        return _found(self._links.get((provider, app)))

    def app_gateway(self, app: str) -> AppGateway:
        return _found(self._app_gateways.get(app))

    def _add_miniapp(self, account: MiniappAccount, tokens: TokenStore) -> None:
        login, face = WeChatMiniappLogin(account), WeChatFaceVerifier(account, tokens)
        self._logins[login.provider, login.app] = login
        self._faces[face.method, face.app] = face
        phone = WeChatPhoneProver(account, tokens)
        self._phones[phone.provider, phone.app] = phone

    def _add_merchant(
        self, account: MerchantAccount, miniapps: tuple[MiniappAccount, ...], tokens: TokenStore, base_url: str
    ) -> None:
        bound = (account.appid, *account.bound_appids)
        apps = {miniapp.appid: miniapp.app for miniapp in miniapps if miniapp.appid in bound}
        for appid, app in apps.items():
            gateway = WeChatPayGateway(
                account,
                app=app,
                appid=appid,
                tokens=tokens,
                payment_notify_url=f"{base_url}/callbacks/wechat-pay/{account.merchant}",
                refund_notify_url=f"{base_url}/callbacks/wechat-refund/{account.merchant}",
            )
            self._gateways[gateway.channel, gateway.merchant, gateway.app] = gateway
            self._payers.setdefault((gateway.channel, WeChatMiniappLogin.provider, gateway.app), []).append(gateway)
        if apps:
            reader = WeChatPayMessageReader(account, apps, tokens=tokens)
            self._readers[reader.provider, reader.merchant] = reader


def _found(adapter: T | None) -> T:
    if adapter is None:
        raise NotConfigured("no adapter is configured for this")
    return adapter
