"""The registry: which platform, app and merchant is served by which adapter. The one place where a name decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from core.ports import (
    AppGateway,
    BillSource,
    Conversation,
    FaceVerifier,
    HospitalSystem,
    LoginPlatform,
    MessageReader,
    MiniappLinks,
    NameMatcher,
    OfficialAccount,
    PageLogin,
    PageReturn,
    PaymentGateway,
    PhoneProver,
    ShippingReporter,
    SmsGateway,
    TokenStore,
)
from core.registry import NotConfigured
from integrations.alipay import (
    AlipayAccount,
    AlipayAppGateway,
    AlipayBillSource,
    AlipayFaceVerifier,
    AlipayGateway,
    AlipayMessageReader,
    AlipayMiniappLogin,
    AlipayPhoneProver,
    AlipayWapGateway,
    AlipayWapReturn,
)
from integrations.hospital import HttpHospitalSystem
from integrations.realname import AliyunNameMatcher, NameMatchAccount, TencentNameMatcher
from integrations.sms import AliyunSmsGateway, TencentSmsGateway
from integrations.wechat import (
    MerchantAccount,
    MiniappAccount,
    OfficialAccountConfig,
    WeChatBillSource,
    WeChatConversation,
    WeChatFaceVerifier,
    WeChatH5Gateway,
    WeChatMiniappLinks,
    WeChatMiniappLogin,
    WeChatOfficialAccount,
    WeChatPageLogin,
    WeChatPayGateway,
    WeChatPayMessageReader,
    WeChatPhoneProver,
    WeChatShippingReporter,
)
from miniapp_api.config import Config
from miniapp_api.official_menu import menu_place
from miniapp_api.platforms import Platforms

T = TypeVar("T")
_REALNAME: Mapping[str, Callable[[NameMatchAccount], NameMatcher]] = {
    "aliyun": AliyunNameMatcher,
    "tencent": TencentNameMatcher,
}
_SMS = {kind.provider: kind for kind in (AliyunSmsGateway, TencentSmsGateway)}


class Registry:
    """Implements core.ports.Adapters from the accounts of the configuration. Makes no call to anybody.

    A payment needs a merchant account and an app that may pay to it. At WeChat that is a mini-program or an official
    account whose appid the merchant number is bound to; at Alipay the row itself names the mini-program. From a browser
    whoever is logged in may pay, wherever that is.
    """

    def __init__(self, config: Config, tokens: TokenStore) -> None:
        self._tokens, self._base_url = tokens, config.public_base_url
        self._callbacks = f"{self._base_url}/callbacks"
        self._logins: dict[tuple[str, str], LoginPlatform] = {}
        self._faces: dict[tuple[str, str], FaceVerifier] = {}
        self._faces_at: dict[tuple[str, str], list[FaceVerifier]] = {}
        self._gateways: dict[tuple[str, str, str], PaymentGateway] = {}
        self._payers: dict[tuple[str, str, str], list[PaymentGateway]] = {}
        self._anybodys: dict[str, list[PaymentGateway]] = {}
        self._readers: dict[tuple[str, str], MessageReader] = {}
        self._returns: dict[str, PageReturn] = {}
        self._bills: dict[tuple[str, str], BillSource] = {}
        self._shipping: dict[tuple[str, str], ShippingReporter] = {}
        self._phones: dict[tuple[str, str], PhoneProver] = {}
        self._hospitals: dict[str, HospitalSystem] = {
            one.system: HttpHospitalSystem(one) for one in config.platforms.hospital_systems
        }
        self._pages: dict[str, PageLogin] = {}
        self._conversations: dict[str, Conversation] = {}
        self._officials: dict[str, OfficialAccount] = {}
        self._links: dict[tuple[str, str], MiniappLinks] = {}
        self._app_gateways: dict[str, AppGateway] = {}
        self._sms: list[SmsGateway] = [_SMS[one.provider](one) for one in config.platforms.sms]
        self._matchers: list[NameMatcher] = [_REALNAME[one.provider](one) for one in config.platforms.realname]
        self._add_all(config.platforms)

    def _add_all(self, platforms: Platforms) -> None:
        miniapps = {one.app: one for one in platforms.wechat_miniapp}
        for miniapp in platforms.wechat_miniapp:
            self._add_miniapp(miniapp)
        for official in platforms.wechat_official:
            self._add_official(official, miniapps[official.miniapp])
        payers = {one.appid: (WeChatMiniappLogin.provider, one.app) for one in platforms.wechat_miniapp}
        payers |= {one.appid: (WeChatPageLogin.provider, one.app) for one in platforms.wechat_official}
        for merchant in platforms.wechat_pay:
            self._add_merchant(merchant, payers)
        for account in platforms.alipay:
            self._add_alipay(account)

    def login(self, provider: str, app: str | None) -> LoginPlatform:
        if app is not None:
            return _found(self._logins.get((provider, app)))
        return _found(next((login for (name, _), login in self._logins.items() if name == provider), None))

    def face_verifiers(self, provider: str, app: str) -> list[FaceVerifier]:
        return list(self._faces_at.get((provider, app), ()))

    def face_verifier(self, method: str, app: str) -> FaceVerifier:
        return _found(self._faces.get((method, app)))

    def gateway(self, channel: str, merchant: str | None, *, provider: str, app: str) -> PaymentGateway:
        able = self._payers.get((channel, provider, app), []) + self._anybodys.get(channel, [])
        wanted = merchant or (self._usual(able[0].provider, provider, app) if able else None)
        return _found(next((gateway for gateway in able if gateway.merchant == wanted), None))

    def _usual(self, wallet: str, provider: str, app: str) -> str | None:
        """The account of a hospital that names none: over every channel the same, whichever others offer it."""
        own = (able for (_, at, of), able in self._payers.items() if (at, of) == (provider, app))
        first = next((able[0].merchant for able in own if able[0].provider == wallet), None)
        return first or next((merchant for (kind, merchant) in self._bills if kind == wallet), None)

    def gateway_of(self, channel: str, merchant: str, app: str) -> PaymentGateway:
        return _found(self._gateways.get((channel, merchant, app)))

    def gateway_at(self, provider: str, merchant: str) -> PaymentGateway:
        whose = (one for one in self._gateways.values() if (one.provider, one.merchant) == (provider, merchant))
        return _found(next(whose, None))

    def reader(self, provider: str, merchant: str) -> MessageReader:
        return _found(self._readers.get((provider, merchant)))

    def payment_return(self, merchant: str) -> PageReturn:
        return _found(self._returns.get(merchant))

    def bill_sources(self) -> Mapping[tuple[str, str], BillSource]:
        return dict(self._bills)

    def shipping_reporters(self) -> list[ShippingReporter]:
        return list(self._shipping.values())

    def shipping_reporter(self, channel: str, app: str) -> ShippingReporter | None:
        found = self._shipping.get((channel, app))
        return found if found is not None and found.is_on else None

    def phone_prover(self, provider: str, app: str) -> PhoneProver:
        return _found(self._phones.get((provider, app)))

    def sms_gateways(self) -> list[SmsGateway]:
        return list(self._sms)

    def name_matcher(self) -> NameMatcher | None:
        return next(iter(self._matchers), None)

    def hospital_system(self, name: str) -> HospitalSystem:
        return _found(self._hospitals.get(name))

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

    def _add_miniapp(self, account: MiniappAccount) -> None:
        self._add_login(WeChatMiniappLogin(account), WeChatFaceVerifier(account, self._tokens))
        self._add_phone(WeChatPhoneProver(account, self._tokens))
        self._add_links(WeChatMiniappLinks(account, self._tokens))
        shipping = WeChatShippingReporter(account, self._tokens)
        self._shipping[shipping.channel, shipping.app] = shipping

    def _add_official(self, account: OfficialAccountConfig, miniapp: MiniappAccount) -> None:
        page = WeChatPageLogin(account, self._tokens)
        self._add_login(page)  # WeChat compares a face in the mini-program only
        self._pages[page.app] = page
        self._conversations[account.app] = WeChatConversation(account)
        place = menu_place(self._base_url, account.app, miniapp_appid=miniapp.appid)
        self._officials[account.app] = WeChatOfficialAccount(account, self._tokens, place=place)
        self._add_links(WeChatMiniappLinks(miniapp, self._tokens, provider=page.provider, app=page.app))

    def _add_merchant(self, account: MerchantAccount, payers: Mapping[str, tuple[str, str]]) -> None:
        """`payers`: provider and name of every app, by appid."""
        bound = {one: payers[one] for one in account.appids if one in payers}
        for appid, (provider, app) in bound.items():
            self._add_gateway(self._wechat_pay(WeChatPayGateway, account, app=app, appid=appid), provider)
            # An order names one app all the same, and events come in its name. What was paid is followed whatever is
            # offered by now.
            self._add_gateway(self._wechat_pay(WeChatH5Gateway, account, app=app, appid=appid), None)
        if bound and account.h5:
            _, app = next(iter(bound.values()))
            self._offer(self._gateways[WeChatH5Gateway.channel, account.merchant, app])
        self._add_bills(WeChatBillSource(account, self._tokens))
        if bound:
            apps = {appid: app for appid, (_, app) in bound.items()}
            self._add_reader(WeChatPayMessageReader(account, apps, tokens=self._tokens))

    def _wechat_pay(
        self, kind: type[WeChatPayGateway], account: MerchantAccount, *, app: str, appid: str
    ) -> WeChatPayGateway:
        return kind(
            account,
            app=app,
            appid=appid,
            tokens=self._tokens,
            payment_notify_url=f"{self._callbacks}/wechat-pay/{account.merchant}",
            refund_notify_url=f"{self._callbacks}/wechat-refund/{account.merchant}",
        )

    def _add_alipay(self, account: AlipayAccount) -> None:
        account.keys.share(self._tokens)
        notify_url = f"{self._callbacks}/alipay/{account.merchant}"
        self._add_gateway(AlipayGateway(account, notify_url=notify_url), AlipayMiniappLogin.provider)
        return_url = f"{self._callbacks}/alipay-return/{account.merchant}"
        wap = AlipayWapGateway(account, notify_url=notify_url, return_url=return_url)
        self._add_gateway(wap, None)  # what was paid is followed whatever is offered by now
        self._returns[account.merchant] = AlipayWapReturn(account)
        if account.wap:
            self._offer(wap)
        self._add_reader(AlipayMessageReader(account))
        self._add_bills(AlipayBillSource(account))
        if account.is_miniapp:
            face = AlipayFaceVerifier(account, return_url=f"{self._callbacks}/alipay-identity/{account.app}")
            self._add_login(AlipayMiniappLogin(account), face)
            if account.aes_key is not None:  # without it Alipay encrypts no phone for us
                self._add_phone(AlipayPhoneProver(account))
            self._app_gateways[account.app] = AlipayAppGateway(account)

    def _add_login(self, login: LoginPlatform, *faces: FaceVerifier) -> None:
        self._logins[login.provider, login.app] = login
        self._faces_at[login.provider, login.app] = list(faces)
        self._faces |= {(face.method, face.app): face for face in faces}

    def _add_gateway(self, gateway: PaymentGateway, provider: str | None) -> None:
        """For who is logged in at `provider` in its app; without one, for nobody until it is offered."""
        self._gateways[gateway.channel, gateway.merchant, gateway.app] = gateway
        if provider is not None:
            self._payers.setdefault((gateway.channel, provider, gateway.app), []).append(gateway)

    def _offer(self, gateway: PaymentGateway) -> None:
        """To whoever is logged in anywhere."""
        self._anybodys.setdefault(gateway.channel, []).append(gateway)

    def _add_reader(self, reader: MessageReader) -> None:
        self._readers[reader.provider, reader.merchant] = reader

    def _add_bills(self, source: BillSource) -> None:
        self._bills[source.provider, source.merchant] = source

    def _add_phone(self, prover: PhoneProver) -> None:
        self._phones[prover.provider, prover.app] = prover

    def _add_links(self, links: MiniappLinks) -> None:
        self._links[links.provider, links.app] = links


def _found(adapter: T | None) -> T:
    if adapter is None:
        raise NotConfigured("no adapter is configured for this")
    return adapter
