"""A start with a fault is no start; the message names every fault at once and shows nothing secret."""

from __future__ import annotations

import base64
import json
import os
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from core.identity.code_limits import Rate
from miniapp_api.app import create_app
from miniapp_api.config import Config, ConfigError, Mode
from miniapp_api.keys import make_keys, write_keys

SECRET = "s3cret-canary"


@pytest.fixture(scope="module")
def rsa_key() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


def _alipays_key() -> str:
    """As the console shows it: base64 without the lines of PEM."""
    key = generate_private_key(65537, 2048).public_key()
    return base64.b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


@pytest.fixture
def platforms(rsa_key: RSAPrivateKey) -> dict[str, Any]:
    private = rsa_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = rsa_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return {
        "wechat_miniapp": [
            {"app": "main", "appid": "wx1", "secret": SECRET, "base_url": "https://api.weixin.qq.com", "more": 1}
        ],
        "wechat_pay": [
            {
                "merchant": "gulou", "mchid": "1900000001", "appid": "wx1", "serial_no": "AB12", "private_key": private,
                "apiv3_key": "k" * 32, "public_key_id": "PUB_KEY_ID_01", "public_key": public,
                "base_url": "https://api2.mch.weixin.qq.com",
            }
        ],
        "wechat_official": [
            {
                "app": "clinic", "appid": "wx2", "secret": SECRET, "token": "Token123", "miniapp": "main",
                "encoding_aes_key": "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", "more": 1,
            }
        ],
        "alipay": [
            {
                "merchant": "gulou", "app": "main", "app_id": "2021000000000001", "seller_id": "2088000000000001",
                "private_key": private, "alipay_public_key": _alipays_key(), "more": 1,
            }
        ],
        "sms": [
            {
                "provider": "aliyun", "access_key_id": "LTAIcanary", "access_key_secret": SECRET, "sign_name": "约诊",
                "template_id": "SMS_100000001", "agreement_template_id": "SMS_100000002", "more": 1,
            },
            {
                "provider": "tencent", "access_key_id": "AKIDcanary", "access_key_secret": SECRET, "sign_name": "约诊",
                "template_id": "1000001", "agreement_template_id": "1000002", "sdk_app_id": "1400000001",
                "base_url": "https://sms.tencentcloudapi.com",
            },
        ],
        "hospital_systems": [
            {"system": "his", "key_id": "hk1", "secret": SECRET * 3, "base_url": "https://his.example.cn/yz"},
        ],
        "unknown": "not ours to read",
    }  # fmt: skip


@pytest.fixture
def production(tmp_path: Path, platforms: dict[str, Any]) -> dict[str, str]:
    write_keys(tmp_path / "k.json")
    file = tmp_path / "p.json"
    file.write_text(json.dumps(platforms))
    file.chmod(0o600)
    return {
        "DATABASE_URL": f"postgresql://yuezhen:{SECRET}@db/yuezhen",
        "KEYS_FILE": str(tmp_path / "k.json"),
        "PLATFORMS_FILE": str(file),
        "PUBLIC_BASE_URL": "https://api.example.cn/",
    }


def faults_of(environ: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        Config.from_environ(environ)
    assert SECRET not in str(raised.value)
    assert all(fault in str(raised.value) for fault in raised.value.faults)
    return raised.value.faults


def rewrite(path: str, change: Callable[[Any], Any]) -> None:
    content = json.loads(Path(path).read_text())
    Path(path).write_text(json.dumps(change(content)))


def test_production_is_what_one_gets_without_asking(production: dict[str, str]) -> None:
    config = Config.from_environ(production)
    assert config.mode is Mode.PRODUCTION
    assert config.public_base_url == "https://api.example.cn"
    assert (config.trusted_proxies, config.body_limit, config.session_lifetime) == (0, 65536, timedelta(hours=720))
    assert [account.app for account in config.platforms.wechat_miniapp] == ["main"]
    assert [account.merchant for account in config.platforms.wechat_pay] == ["gulou"]
    assert [account.app_id for account in config.platforms.alipay] == ["2021000000000001"]
    assert [(account.host, account.region) for account in config.platforms.sms] == [
        ("dysmsapi.aliyuncs.com", None),
        ("sms.tencentcloudapi.com", "ap-guangzhou"),
    ]


def test_a_local_start_needs_only_its_folder(environ: dict[str, str], tmp_path: Path) -> None:
    config = Config.from_environ(environ)
    assert config.database_url == f"sqlite:///{tmp_path}/yuezhen.db"
    assert config.public_base_url == "http://127.0.0.1:8000"
    assert Config.from_environ({**environ, "API_PORT": "8123"}).public_base_url == "http://127.0.0.1:8123"


def test_no_secret_is_shown(production: dict[str, str]) -> None:
    config = Config.from_environ(production)
    shown = repr(config) + repr(config.keys) + repr(config.platforms) + str(config)
    for secret in (SECRET, "PRIVATE KEY", "k" * 32, *_raw_keys(production["KEYS_FILE"])):
        assert secret not in shown


def _raw_keys(path: str) -> list[str]:
    """A key that stands with its algorithm is the `key` of it."""
    keys = [key for ring in json.loads(Path(path).read_text()).values() for key in ring["keys"].values()]
    return [key if isinstance(key, str) else key["key"] for key in keys]


def test_an_empty_environment_is_told_everything_at_once() -> None:
    assert faults_of({}) == [
        "KEYS_FILE is missing", "PLATFORMS_FILE is missing", "PUBLIC_BASE_URL is missing", "DATABASE_URL is missing",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MODE", "debug"), ("DATABASE_URL", "mysql://x"), ("DATABASE_URL", "sqlite://"), ("DATABASE_URL", SECRET),
        ("DATABASE_URL", "sqlite:///:memory:"), ("PUBLIC_BASE_URL", "http://api.example.cn"),
        ("PUBLIC_BASE_URL", "https://"), ("PUBLIC_BASE_URL", "https://a/?b=c"), ("PUBLIC_BASE_URL", "https://u:p@a"),
        ("PUBLIC_BASE_URL", "https://[::1"), ("TRUSTED_PROXIES", "-1"), ("TRUSTED_PROXIES", "11"),
        ("TRUSTED_PROXIES", "one"), ("TRUSTED_PROXIES", "１"), ("SESSION_HOURS", "0"), ("SESSION_HOURS", "1e3"),
        ("RATE_LIMIT_ADDRESS", "0/minute"), ("RATE_LIMIT_ACCOUNT", "many"), ("RATE_LIMIT_LOGIN", "5/fortnight"),
        ("LOG_LEVEL", "TRACE"), ("BODY_LIMIT", "1"), ("BODY_LIMIT", "9" * 50),
        ("RATE_LIMIT_SMS_PHONE", "1/minute;5/hour"), ("RATE_LIMIT_SMS_PHONE", "1/minute,"),
        ("RATE_LIMIT_SMS_ACCOUNT", "1/hour,2/hour,3/hour,4/hour,5/day"), ("RATE_LIMIT_SMS_ADDRESS", "0/day"),
        ("SMS_DAILY_MOST", "0"), ("SMS_DAILY_MOST", "many"),
        ("REFUNDS_PER_SECOND", "0"), ("REFUNDS_PER_SECOND", "151"), ("REFUNDS_PER_SECOND", "100/second"),
        ("REDIS_URL", "http://redis"), ("REDIS_URL", SECRET), ("REDIS_URL", "redis://redis:port"),
    ],
)  # fmt: skip
def test_a_bad_value_is_named_and_not_shown(production: dict[str, str], name: str, value: str) -> None:
    (fault,) = faults_of({**production, name: value})
    assert fault.startswith(f"{name} must ")


def test_several_rates_hold_together(production: dict[str, str]) -> None:
    limits = Config.from_environ({**production, "RATE_LIMIT_SMS_PHONE": "2/second,30/hour"}).code_limits
    assert limits.phone == (Rate(2, timedelta(seconds=1)), Rate(30, timedelta(hours=1)))
    assert limits.account == (Rate(10, timedelta(hours=1)), Rate(20, timedelta(days=1)))
    assert (limits.net[0], limits.daily_most) == (Rate(60, timedelta(hours=1)), 5000)


def test_create_app_reads_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KEYS_FILE", "DATABASE_URL", "PLATFORMS_FILE", "PUBLIC_BASE_URL", "MODE", "DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError):
        create_app()


# --- keys


def test_new_keys_are_fresh_private_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "new" / "keys.json"
    write_keys(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        write_keys(path)
    assert path.read_bytes() == before
    assert len({json.dumps(ring) for content in (make_keys(), make_keys()) for ring in content.values()}) == 6


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o606, 0o601])
def test_keys_that_others_can_read_are_refused(production: dict[str, str], mode: int) -> None:
    os.chmod(production["KEYS_FILE"], mode)
    assert faults_of(production) == ["KEYS_FILE can be read by others: its mode must be 0600"]


def _set(ring: str, **values: Any) -> Callable[[Any], Any]:
    return lambda content: {**content, ring: {**content[ring], **values}}


@pytest.mark.parametrize(
    "change",
    [
        lambda _: [], lambda _: "x", lambda content: {"sealing": content["sealing"]},
        lambda content: {**content, "hashing": content["sealing"]},
        _set("sealing", active=2), _set("sealing", active="1"), _set("sealing", active=True),
        _set("sealing", keys={}), _set("sealing", keys={"1": SECRET}), _set("sealing", keys={"1": 5}),
        _set("sealing", keys={"1": base64.b64encode(b"short").decode()}),
        _set("sealing", keys={"1": base64.b64encode(bytes(32)).decode()}),
        _set("sealing", keys={"x": "", "1": ""}), _set("sealing", keys={"65536": ""}), _set("sealing", keys=[]),
    ],
)  # fmt: skip
def test_keys_that_are_none_are_refused(production: dict[str, str], change: Callable[[Any], Any]) -> None:
    rewrite(production["KEYS_FILE"], change)
    (fault,) = faults_of(production)
    assert fault.startswith("KEYS_FILE ")


def test_a_key_file_that_cannot_be_read_is_told(production: dict[str, str], tmp_path: Path) -> None:
    assert faults_of({**production, "KEYS_FILE": "/nowhere"}) == [
        "KEYS_FILE cannot be read (No such file or directory)"
    ]
    assert faults_of({**production, "KEYS_FILE": str(tmp_path)}) == ["KEYS_FILE cannot be read (Is a directory)"]
    Path(production["KEYS_FILE"]).write_text(SECRET)
    assert faults_of(production) == ["KEYS_FILE is not JSON"]


def test_older_keys_stay_in_the_ring(production: dict[str, str]) -> None:
    second = base64.b64encode(os.urandom(32)).decode()
    rewrite(
        production["KEYS_FILE"],
        lambda content: {
            **content,
            "sealing": {"active": 2, "keys": {**content["sealing"]["keys"], "2": second}},
        },
    )
    assert set(Config.from_environ(production).keys.sealing.keys) == {1, 2}


# --- platforms


def _row(name: str, **values: Any) -> Callable[[Any], Any]:
    return lambda content: {**content, name: [{**content[name][0], **values}]}


def _another(kind: str, **changes: Any) -> Callable[[Any], Any]:
    """One more row, the first one but for these."""
    return lambda content: {**content, kind: [content[kind][0], {**content[kind][0], **changes}]}


def _siblings(**changes: Any) -> Callable[[Any], Any]:
    """Two sub-merchants of one partner, the second one with these keys."""

    def made(content: Any) -> Any:
        first = {**content["wechat_pay"][0], "sub_mchid": "1900000011"}
        return {**content, "wechat_pay": [first, {**first, "merchant": "two", "sub_mchid": "1900000012", **changes}]}

    return made


@pytest.mark.parametrize(
    "url",
    ["http://api.weixin.qq.com", "https://api.weixin.qq.com.evil.cn", "https://api.weixin.qq.com@evil.cn",
     "https://api.weixin.qq.com:8443", "https://api.weixin.qq.com/x", "https://127.0.0.1:8100/wechat",
     "https://api.mch.weixin.qq.com", "https://API.weixin.qq.com"],
)  # fmt: skip
def test_production_speaks_to_the_platform_itself_only(production: dict[str, str], url: str) -> None:
    rewrite(production["PLATFORMS_FILE"], _row("wechat_miniapp", base_url=url))
    (fault,) = faults_of(production)
    assert fault.startswith("PLATFORMS_FILE wechat_miniapp[0]: base_url ")
    local = {**production, "MODE": "local"}
    if "@" not in url:
        assert Config.from_environ(local).platforms.wechat_miniapp[0].base_url == url


@pytest.mark.parametrize("host", ["api.mch.weixin.qq.com", "api2.mch.weixin.qq.com"])
def test_both_hosts_of_wechat_pay_are_its_own(production: dict[str, str], host: str) -> None:
    rewrite(production["PLATFORMS_FILE"], _row("wechat_pay", base_url=f"https://{host}/"))
    assert Config.from_environ(production).platforms.wechat_pay[0].base_url == f"https://{host}/"


def test_a_merchant_may_be_in_certificate_mode_and_have_more_apps(production: dict[str, str]) -> None:
    changes = {"public_key": None, "public_key_id": None, "platform_certificates": [], "bound_appids": ["wx2"]}
    rewrite(production["PLATFORMS_FILE"], _row("wechat_pay", **changes))
    (account,) = Config.from_environ(production).platforms.wechat_pay
    assert (account.public_key_id, account.platform_certificates, account.bound_appids) == (None, (), ("wx2",))


def test_a_merchant_may_be_a_partners_sub_merchant(production: dict[str, str]) -> None:
    """Two of them share all but their name and number."""
    content = json.loads(Path(production["PLATFORMS_FILE"]).read_text())
    (partner,) = content["wechat_pay"]
    subs = [{"merchant": f"hospital-{n}", "sub_mchid": f"190000010{n}", "sub_appids": [f"wxh{n}"]} for n in (1, 2)]
    apps = content["wechat_miniapp"] + [{"app": f"h{n}", "appid": f"wxh{n}", "secret": "s"} for n in (1, 2)]
    added = {"wechat_miniapp": apps, "wechat_pay": [partner | one for one in subs]}
    rewrite(production["PLATFORMS_FILE"], lambda told: {**told, **added})
    first, second = Config.from_environ(production).platforms.wechat_pay
    assert (first.sub_mchid, first.sub_appids, first.mchid) == ("1900000101", ("wxh1",), partner["mchid"])
    assert (second.sub_mchid, second.sub_appids, second.mchid) == ("1900000102", ("wxh2",), partner["mchid"])
    rewrite(production["PLATFORMS_FILE"], _row("wechat_pay", sub_mchid="no number"))
    (fault,) = faults_of(production)
    assert fault == "PLATFORMS_FILE wechat_pay[0]: sub_mchid is missing or has characters that do not belong there"


@pytest.mark.parametrize(("told", "is_managed"), [({}, False), ({"trade_managed": True}, True)])
def test_a_mini_program_is_managed_where_the_file_says_so(
    production: dict[str, str], told: dict[str, bool], is_managed: bool
) -> None:
    rewrite(production["PLATFORMS_FILE"], _row("wechat_miniapp", **told))
    assert Config.from_environ(production).platforms.wechat_miniapp[0].trade_managed is is_managed


@pytest.mark.parametrize(("told", "takes"), [({}, False), ({"h5": False}, False), ({"h5": True}, True)])
def test_an_account_is_paid_from_browsers_where_the_file_says_so(
    production: dict[str, str], told: dict[str, bool], takes: bool
) -> None:
    rewrite(production["PLATFORMS_FILE"], _row("wechat_pay", **told))
    assert Config.from_environ(production).platforms.wechat_pay[0].h5 is takes


def test_one_wallet_is_enough(production: dict[str, str]) -> None:
    for kept in ("wechat_miniapp", "alipay"):
        content = json.loads(Path(production["PLATFORMS_FILE"]).read_text())
        file = Path(production["PLATFORMS_FILE"]).with_suffix(f".{kept}")
        file.write_text(json.dumps({kept: content[kept]}))
        file.chmod(0o600)
        assert Config.from_environ({**production, "PLATFORMS_FILE": str(file)})


def test_the_own_host_is_the_default(production: dict[str, str]) -> None:
    def without_urls(content: Any) -> Any:
        for name in ("wechat_miniapp", "wechat_pay"):
            del content[name][0]["base_url"]
        return content

    rewrite(production["PLATFORMS_FILE"], without_urls)
    assert Config.from_environ(production).platforms.wechat_pay[0].base_url == "https://api.mch.weixin.qq.com"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda _: [], "is not a JSON object"),
        (lambda _: {}, "names no wechat_miniapp and no alipay: nobody could log in"),
        (lambda content: {**content, "wechat_pay": {}}, "wechat_pay is not a list"),
        (lambda content: {**content, "wechat_pay": ["x"]}, "wechat_pay[0]: is not an object"),
        (_row("wechat_pay", mchid=5), "wechat_pay[0]: not a text: mchid"),
        (_row("wechat_pay", mchid="", public_key=""), "wechat_pay[0]: missing: mchid, public_key"),
        (
            _row("wechat_pay", public_key=None),
            "wechat_pay[0]: public_key_id and public_key belong together",
        ),
        (
            _row("wechat_pay", public_key=None, public_key_id=None),
            "wechat_pay[0]: public_key_id with public_key or platform_certificates is needed",
        ),
        (_row("wechat_pay", platform_certificates=SECRET), "wechat_pay[0]: not a list of texts: platform_certificates"),
        (_row("wechat_pay", bound_appids=[5]), "wechat_pay[0]: not a list of texts: bound_appids"),
        (
            _row("wechat_pay", platform_certificates=[SECRET]),
            "wechat_pay[0]: platform_certificates is not a PEM certificate",
        ),
        (_row("wechat_pay", apiv3_key=SECRET), "wechat_pay[0]: apiv3_key must be 32 bytes long"),
        (
            _row("wechat_pay", private_key=SECRET),
            "wechat_pay[0]: private_key is not an unencrypted PEM private key",
        ),
        (_row("wechat_miniapp", trade_managed="yes"), "wechat_miniapp[0]: not true or false: trade_managed"),
        (
            lambda content: {
                **content,
                "wechat_miniapp": [content["wechat_miniapp"][0], {**content["wechat_miniapp"][0], "appid": "wxother"}],
            },
            "wechat_miniapp: one app stands there twice",
        ),
        (
            lambda content: {
                **content,
                "wechat_miniapp": [content["wechat_miniapp"][0], {**content["wechat_miniapp"][0], "app": "another"}],
            },
            "wechat_miniapp and wechat_official: one appid stands there twice",
        ),
        (
            lambda content: _row("wechat_official", appid=content["wechat_miniapp"][0]["appid"])(content),
            "wechat_miniapp and wechat_official: one appid stands there twice",
        ),
        (_row("wechat_official", token=None), "wechat_official[0]: missing: token"),
        (_row("wechat_official", miniapp="nobody"), "wechat_official[0]: miniapp is none of wechat_miniapp"),
        (_row("wechat_official", app="main"), "wechat_official: main is the app of a wechat_miniapp too"),
        (
            _row("wechat_official", push_mode="loud"),
            "wechat_official[0]: push_mode must be one of: plain, secure, both",
        ),
        (
            _row("wechat_official", open_url="https://open.weixin.qq.com.evil.cn"),
            "wechat_official[0]: open_url is not the platform's own https host",
        ),
        (_row("alipay", seller_id=None), "alipay[0]: missing: seller_id"),
        (_row("alipay", gateway=5), "alipay[0]: not a text: gateway"),
        (_row("alipay", alipay_public_key=SECRET), "alipay[0]: alipay_public_key is not a public key"),
        (_row("alipay", aes_key=SECRET), "alipay[0]: aes_key must be 16 bytes in base64"),
        (_row("alipay", id_mode="phone"), "alipay[0]: id_mode is open_id or user_id"),
        (_row("alipay", certificates="x"), "alipay[0]: is not an object"),
        (_row("alipay", certificates={"app_cert": SECRET}), "alipay[0]: missing: alipay_cert, alipay_root_cert"),
        (
            _row("alipay", gateway="https://openapi.alipay.com.evil.cn/gateway.do"),
            "alipay[0]: gateway is not the platform's own https host",
        ),
        (
            _row("alipay", bill_url="http://dwbillcenter.alipay.com.evil.cn"),
            "alipay[0]: bill_url is not the platform's own https host",
        ),
        (_row("sms", access_key_secret=None), "sms[0]: missing: access_key_secret"),
        (_row("sms", agreement_template_id=None), "sms[0]: missing: agreement_template_id"),
        (
            _row("sms", agreement_template_id="SMS_100000001"),
            "sms[0]: agreement_template_id is the same as template_id",
        ),
        (_row("sms", provider="pigeon"), "sms[0]: provider must be one of: aliyun, tencent"),
        (_row("sms", sdk_app_id="1400000001"), "sms[0]: sdk_app_id and region belong to another provider"),
        (
            _row("sms", provider="tencent"),
            "sms[0]: sdk_app_id is missing or has characters that do not belong there",
        ),
        (_row("sms", sign_name="【约诊】"), "sms[0]: sign_name is missing or has characters that do not belong there"),
        (_row("sms", base_url="https://sms.tencentcloudapi.com"), "sms[0]: base_url is another platform's"),
        (
            _row("sms", base_url="https://dysmsapi.aliyuncs.com.evil.cn"),
            "sms[0]: base_url is not the platform's own https host",
        ),
        (_row("sms", base_url="http://dysmsapi.aliyuncs.com"), "sms[0]: base_url is not the platform's own https host"),
        (_row("hospital_systems", secret=SECRET), "hospital_systems[0]: secret has less than 32 characters"),
        (_row("hospital_systems", base_url="http://his.example.cn"), "hospital_systems[0]: base_url is not https"),
        (
            lambda content: {**content, "hospital_systems": content["hospital_systems"] * 2},
            "hospital_systems: one system stands there twice",
        ),
        (
            _another("alipay", merchant="two", seller_id="2088000000000009"),
            "alipay: one app stands there twice",
        ),
        (_another("alipay", merchant="two", app="two"), "alipay: one seller_id stands there twice"),
        (_another("wechat_pay", merchant="two"), "wechat_pay: one mchid stands there twice"),
        (_row("wechat_pay", sub_mch_id="1900000011"), "wechat_pay[0]: unknown: sub_mch_id"),
        (
            _row("wechat_pay", appid="wxnobody", bound_appids=[]),
            "wechat_pay: nobody could pay to gulou, whose appids are no app's",
        ),
        (
            _row("wechat_pay", sub_mchid="1900000011", sub_appids=["wxtypo"]),
            "wechat_pay: sub_appids of gulou are no app's",
        ),
        (
            _another("wechat_pay", merchant="two", sub_mchid="1900000011"),
            "wechat_pay: mchid of two is a partner's, and none's in another row",
        ),
        (_siblings(apiv3_key="x" * 32), "wechat_pay: mchid of two has other keys in another row"),
        (_siblings(serial_no="ABC"), "wechat_pay: mchid of two has other keys in another row"),
    ],
)
def test_an_account_that_is_none_is_named(production: dict[str, str], change: Callable[[Any], Any], fault: str) -> None:
    rewrite(production["PLATFORMS_FILE"], change)
    assert faults_of(production) == [f"PLATFORMS_FILE {fault}"]


def test_the_file_of_accounts_is_private_in_production(production: dict[str, str]) -> None:
    os.chmod(production["PLATFORMS_FILE"], 0o644)
    assert faults_of(production) == ["PLATFORMS_FILE can be read by others: its mode must be 0600"]
    assert Config.from_environ({**production, "MODE": "local"})
    assert faults_of({**production, "PLATFORMS_FILE": "/nowhere"}) == [
        "PLATFORMS_FILE cannot be read (No such file or directory)"
    ]


def test_production_replies_ask_for_https(production: dict[str, str]) -> None:
    client = create_app(Config.from_environ(production)).test_client()
    assert client.get("/healthz").headers["Strict-Transport-Security"].startswith("max-age=31536000")
