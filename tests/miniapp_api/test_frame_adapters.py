"""The registry serves what the accounts say, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from alipay_chain import ALIPAY_NAME, NOW, Issuer, new_key, pem
from alipay_side import private_pem
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from sqlalchemy.engine import URL
from token_memory import TokenMemory

from core.ports import InvalidSignature
from core.registry import Adapters, NotConfigured
from integrations.alipay import AlipayAccount, AlipayCertificates
from integrations.sms import SmsAccount
from integrations.wechat import MerchantAccount, MiniappAccount, OfficialAccountConfig
from miniapp_api.adapters import Registry
from miniapp_api.config import Config
from miniapp_api.platforms import Platforms


class NoTokens:
    """A token store that nobody asks: building the registry calls nobody."""

    def token(self, name: str, fetch: Callable[[], tuple[str, timedelta]], *, rejected: str | None = None) -> str:
        raise AssertionError(name)

    def stored(self, name: str) -> str | None:
        raise AssertionError(name)


@pytest.fixture
def database_url(sqlite_url: URL) -> str:
    return str(sqlite_url)


@pytest.fixture(scope="module")
def rsa_key() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


@pytest.fixture
def registry(config: Config, rsa_key: RSAPrivateKey) -> Adapters:
    private = rsa_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = rsa_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def merchant(name: str, appid: str, *more: str) -> MerchantAccount:
        one = MerchantAccount(name, "1900000001", appid, "AB12", private, "k" * 32, "PUB_KEY_ID_01", public)
        return replace(one, bound_appids=more)

    others = generate_private_key(65537, 2048).public_key()
    alipays = others.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def alipay(name: str, app_id: str, **more: str) -> AlipayAccount:
        return AlipayAccount(name, "main", app_id, "2088000000000001", private, alipays, **more)  # type: ignore[arg-type]

    platforms = Platforms(
        (MiniappAccount("main", "wx1", "secret", trade_managed=True), MiniappAccount("second", "wx2", "secret")),
        (
            merchant("gulou", "wx1"),
            merchant("renmin", "wx1"),
            merchant("elsewhere", "wx9"),
            merchant("shared", "wx9", "wx1", "wx3"),
            replace(merchant("browsers", "wx9", "wx3"), h5=True),
            replace(merchant("unbound", "wx9"), h5=True),
        ),
        wechat_official=(
            OfficialAccountConfig("clinic", "wx3", "secret", "token", "abcdefghijklmnopqrstuvwxyz" + "0" * 17, "main"),
        ),
        alipay=(
            alipay("gulou", "2021000000000001", aes_key="MDEyMzQ1Njc4OWFiY2RlZg=="),
            alipay("renmin", "2021000000000002", op_app_id="2021000000000001", wap=True),
        ),
    )
    return Registry(replace(config, platforms=platforms, public_base_url="https://a.cn"), NoTokens())


def test_a_login_is_found_by_name_and_the_first_one_without(registry: Adapters) -> None:
    assert registry.login("wechat_miniapp", None).app == "main"
    assert registry.login("wechat_miniapp", "second").app == "second"


def test_a_face_check_belongs_to_the_app_one_is_logged_in_at(registry: Adapters) -> None:
    assert [verifier.method for verifier in registry.face_verifiers("wechat_miniapp", "second")] == ["wechat_face"]
    assert [verifier.method for verifier in registry.face_verifiers("alipay_miniapp", "main")] == ["alipay_face"]
    assert registry.face_verifiers("alipay_miniapp", "second") == []
    assert registry.face_verifiers("wechat_miniapp", "third") == []
    assert registry.face_verifier("wechat_face", "main").app == "main"


def test_a_payment_goes_through_a_merchant_with_the_appid_of_the_app(registry: Adapters) -> None:
    first = registry.gateway("wechat_jsapi", None, provider="wechat_miniapp", app="main")
    named = registry.gateway("wechat_jsapi", "renmin", provider="wechat_miniapp", app="main")
    assert (first.merchant, named.merchant, named.app) == ("gulou", "renmin", "main")
    assert registry.gateway_of("wechat_jsapi", "renmin", "main") is named


def test_a_merchant_also_serves_the_apps_that_are_bound_to_it(registry: Adapters) -> None:
    assert registry.gateway_of("wechat_jsapi", "shared", "main").app == "main"
    assert registry.reader("wechat_pay", "shared").merchant == "shared"


def test_from_a_browser_whoever_is_logged_in_pays_to_an_account_that_takes_it(registry: Adapters) -> None:
    """In the name of an app of ours that the account has, whatever app the payer is logged in at."""
    for provider, app in (("wechat_official", "clinic"), ("wechat_miniapp", "second"), ("alipay_miniapp", "main")):
        found = registry.gateway("wechat_h5", "browsers", provider=provider, app=app)
        assert (found.channel, found.merchant, found.app) == ("wechat_h5", "browsers", "clinic")
        with pytest.raises(NotConfigured):  # of a hospital that names none it would be somebody else's account
            registry.gateway("wechat_h5", None, provider=provider, app=app)
    assert registry.gateway_of("wechat_h5", "browsers", "clinic") is found
    assert registry.gateway_of("wechat_jsapi", "browsers", "clinic").channel == "wechat_jsapi"


def test_one_merchant_name_is_an_account_at_each_wallet(registry: Adapters) -> None:
    for merchant in (None, "gulou", "renmin"):
        wechat = registry.gateway("wechat_jsapi", merchant, provider="wechat_miniapp", app="main")
        alipay = registry.gateway("alipay_miniapp", merchant, provider="alipay_miniapp", app="main")
        assert (wechat.merchant, alipay.merchant) == (merchant or "gulou", merchant or "gulou")
        assert (wechat.provider, alipay.provider) == ("wechat_pay", "alipay")
    assert registry.login("alipay_miniapp", None).app == "main"
    assert registry.phone_prover("alipay_miniapp", "main").takes == {"response", "sign"}
    assert registry.phone_prover("wechat_miniapp", "main").takes == {"code"}
    assert registry.app_gateway("main").app == "main"


def test_a_browser_is_open_to_whoever_is_logged_in_where_the_account_says_so(registry: Adapters) -> None:
    for provider, app in (("wechat_miniapp", "second"), ("wechat_official", "clinic"), ("alipay_miniapp", "main")):
        gateway = registry.gateway("alipay_wap", "renmin", provider=provider, app=app)
        assert (gateway.merchant, gateway.app, gateway.provider) == ("renmin", "main", "alipay")
        for merchant in ("gulou", None):
            with pytest.raises(NotConfigured):
                registry.gateway("alipay_wap", merchant, provider=provider, app=app)
    assert registry.gateway_of("alipay_wap", "renmin", "main") is gateway
    assert registry.payment_return("renmin") is not registry.payment_return("gulou")
    with pytest.raises(NotConfigured):
        registry.payment_return("nobody")


def test_what_was_paid_from_a_browser_is_followed_whatever_is_offered_by_now(registry: Adapters) -> None:
    """The flag, and which app is the first, say what is opened; a payment keeps the app that it was opened in."""
    assert registry.gateway_of("alipay_wap", "gulou", "main").merchant == "gulou"
    for app in ("main", "clinic"):
        assert registry.gateway_of("wechat_h5", "shared", app).app == app


def test_an_official_account_pays_over_the_channel_of_its_appid_and_proves_no_face(registry: Adapters) -> None:
    paid = registry.gateway("wechat_jsapi", None, provider="wechat_official", app="clinic")
    assert (paid.merchant, paid.app) == ("shared", "clinic")
    assert registry.gateway_of("wechat_jsapi", "shared", "clinic") is paid
    assert registry.face_verifiers("wechat_official", "clinic") == []
    assert registry.login("wechat_official", None) is registry.page_login("clinic")
    for account in (registry.conversation("clinic"), registry.official_account("clinic")):
        assert (account.provider, account.app) == ("wechat_official", "clinic")
    links = registry.miniapp_links("wechat_official", "clinic")
    assert (links.provider, links.app) == ("wechat_official", "clinic")
    assert registry.miniapp_links("wechat_miniapp", "main").app == "main"


def test_only_what_is_paid_in_a_managed_mini_program_is_reported_as_delivered(registry: Adapters) -> None:
    assert [(one.app, one.is_on) for one in registry.shipping_reporters()] == [("main", True), ("second", False)]
    reporter = registry.shipping_reporter("wechat_jsapi", "main")
    assert reporter is not None
    assert reporter.app == "main"
    others = [("wechat_jsapi", "second"), ("wechat_jsapi", "clinic"), ("wechat_h5", "main"), ("alipay_miniapp", "main")]
    assert [registry.shipping_reporter(*one) for one in others] == [None] * 4


def test_a_message_is_read_by_its_merchant(registry: Adapters) -> None:
    assert registry.reader("wechat_pay", "gulou").provider == "wechat_pay"
    assert registry.reader("alipay", "gulou").provider == "alipay"


def test_what_is_not_configured_is_refused(registry: Adapters) -> None:
    asked: list[Callable[[], object]] = [
        lambda: registry.login("alipay_miniapp", "second"),
        lambda: registry.app_gateway("second"),
        lambda: registry.page_login("main"),
        lambda: registry.conversation("main"),
        lambda: registry.official_account("main"),
        lambda: registry.miniapp_links("alipay_miniapp", "main"),
        lambda: registry.gateway("wechat_jsapi", "gulou", provider="wechat_official", app="clinic"),
        lambda: registry.phone_prover("wechat_miniapp", "third"),
        lambda: registry.gateway("alipay_miniapp", "elsewhere", provider="alipay_miniapp", app="main"),
        lambda: registry.login("wechat_miniapp", "third"),
        lambda: registry.face_verifier("alipay_face", "second"),
        lambda: registry.face_verifier("wechat_face", "third"),
        lambda: registry.gateway("wechat_h5", "gulou", provider="wechat_miniapp", app="main"),
        lambda: registry.gateway("wechat_h5", "unbound", provider="wechat_miniapp", app="main"),
        lambda: registry.gateway("wechat_jsapi", "browsers", provider="wechat_miniapp", app="main"),
        lambda: registry.gateway("wechat_jsapi", None, provider="alipay_miniapp", app="main"),
        lambda: registry.gateway("wechat_jsapi", None, provider="wechat_miniapp", app="second"),
        lambda: registry.gateway("wechat_jsapi", "elsewhere", provider="wechat_miniapp", app="main"),
        lambda: registry.gateway_of("wechat_jsapi", "elsewhere", "main"),
        lambda: registry.reader("alipay", "elsewhere"),
        lambda: registry.reader("wechat_pay", "nobody"),
    ]
    for ask in asked:
        with pytest.raises(NotConfigured):
            ask()


def test_the_platform_is_told_where_to_send_its_events(registry: Adapters) -> None:
    gateway = vars(registry.gateway_of("wechat_jsapi", "gulou", "main"))
    assert {value for value in gateway.values() if str(value).startswith("https://a.cn")} == {
        "https://a.cn/callbacks/wechat-pay/gulou",
        "https://a.cn/callbacks/wechat-refund/gulou",
    }


def test_alipays_certificates_are_shared_through_the_token_store(config: Config, rsa_key: RSAPrivateKey) -> None:
    root = Issuer("Root R1")
    app_cert, alipay_cert = root.certificate("app", rsa_key), root.certificate(ALIPAY_NAME, new_key())
    files = AlipayCertificates(
        pem(app_cert), pem(alipay_cert), pem(root.certificate("Root R1", root.key, authority=True))
    )
    account = AlipayAccount(
        "gulou", "main", "2021000000000001", "2088000000000001", private_pem(rsa_key), certificates=files
    )
    store = TokenMemory()
    registry = Registry(replace(config, platforms=Platforms(alipay=(account,)), public_base_url="https://a.cn"), store)
    assert store.reads == {}
    with pytest.raises(InvalidSignature, match="bad_signature"):
        registry.reader("alipay", "gulou").check({}, b"notify_id=1&sign=AAAA", now=NOW)
    assert store.reads == {"alipay_certificates:2021000000000001": 1}


def test_text_messages_go_in_the_order_of_the_accounts(config: Config) -> None:
    key = {"access_key_id": "id", "access_key_secret": "secret", "sign_name": "约诊", "template_id": "1"}
    key["agreement_template_id"] = "2"
    accounts = (SmsAccount("tencent", **key, sdk_app_id="1400000001"), SmsAccount("aliyun", **key))
    registry = Registry(replace(config, platforms=Platforms(sms=accounts)), NoTokens())
    assert [one.provider for one in registry.sms_gateways()] == ["tencent", "aliyun"]
    assert Registry(replace(config, platforms=Platforms()), NoTokens()).sms_gateways() == []


def test_every_merchant_account_tells_its_bills(registry: Adapters) -> None:
    """Also one that no app of ours can pay to: its money is looked at all the same."""
    sources = registry.bill_sources()
    wechat = {("wechat_pay", name) for name in ("gulou", "renmin", "elsewhere", "shared", "browsers", "unbound")}
    assert sources.keys() == wechat | {("alipay", "gulou"), ("alipay", "renmin")}
    assert all((one.provider, one.merchant) == key for key, one in sources.items())
