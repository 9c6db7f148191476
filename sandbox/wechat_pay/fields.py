"""What a request body may hold: unknown fields, nulls, floats, lengths and alphabets are checked (section 4.4)."""

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from sandbox.exchange import compact_json
from sandbox.wechat_pay.errors import EXTRA_PARAMETER, bad_parameter

Check = Callable[[str, object], None]


@dataclass(frozen=True)
class Text:
    """A string: length in characters, alphabet, and no characters beyond the basic plane (section 4.1)."""

    max: int
    min: int = 1
    pattern: re.Pattern[str] | None = None
    choices: tuple[str, ...] = ()

    def __call__(self, pointer: str, value: object) -> None:
        """Raises: PayError."""
        if not isinstance(value, str):
            raise bad_parameter(pointer, value, "类型错误, 应为字符串")
        if not self.min <= len(value) <= self.max:
            raise bad_parameter(pointer, value, f"字符串长度应在{self.min}到{self.max}之间")
        if any(ord(letter) > 0xFFFF for letter in value):
            raise bad_parameter(pointer, value, "仅支持1-3字节的UTF-8字符")
        if self.pattern is not None and self.pattern.fullmatch(value) is None:
            raise bad_parameter(pointer, value, "包含不支持的字符或格式错误")
        if self.choices and value not in self.choices:
            raise bad_parameter(pointer, value, "取值不在枚举范围内")


@dataclass(frozen=True)
class Whole:
    """An integer; 1.0 and true are not integers."""

    min: int = 0
    max: int = 10**12

    def __call__(self, pointer: str, value: object) -> None:
        """Raises: PayError."""
        if isinstance(value, bool) or not isinstance(value, int):
            raise bad_parameter(pointer, value, "类型错误, 应为整数")
        if not self.min <= value <= self.max:
            raise bad_parameter(pointer, value, f"取值应在{self.min}到{self.max}之间")


def flag(pointer: str, value: object) -> None:
    """A boolean. Raises: PayError."""
    if not isinstance(value, bool):
        raise bad_parameter(pointer, value, "类型错误, 应为布尔值")


@dataclass(frozen=True)
class ListOf:
    """A list of one kind."""

    item: Check
    max: int = 6000

    def __call__(self, pointer: str, value: object) -> None:
        """Raises: PayError."""
        if not isinstance(value, list) or len(value) > self.max:
            raise bad_parameter(pointer, value, "类型错误, 应为数组")
        for position, item in enumerate(value):
            self.item(f"{pointer}/{position}", item)


@dataclass(frozen=True)
class Shape:
    """An object with named fields and no others."""

    required: Mapping[str, Check] = field(default_factory=dict)
    optional: Mapping[str, Check] = field(default_factory=dict)

    def __call__(self, pointer: str, value: object) -> None:
        """Raises: PayError."""
        if not isinstance(value, dict):
            raise bad_parameter(pointer or "/", value, "类型错误, 应为对象")
        for name in value:
            if name not in self.required and name not in self.optional:
                raise bad_parameter(f"{pointer}/{name}", value[name], "未知的参数", number=EXTRA_PARAMETER)
        for name, check in {**self.required, **self.optional}.items():
            if name in value:
                if value[name] is None:
                    raise bad_parameter(f"{pointer}/{name}", None, "参数不能为null", number=EXTRA_PARAMETER)
                check(f"{pointer}/{name}", value[name])
            elif name in self.required:
                raise bad_parameter(f"{pointer}/{name}", None, "缺少必填参数")


def notify_url(pointer: str, value: object) -> None:
    """https without query; plain http only to this machine, since a sandbox has no domain. Raises: PayError."""
    Text(255)(pointer, value)
    url = str(value)
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port != 0
    except ValueError:
        raise bad_parameter(pointer, value, "通知地址格式错误") from None
    secure = parts.scheme == "https" or (parts.scheme == "http" and _is_this_machine(parts.hostname or ""))
    if not (secure and parts.hostname and port_is_fine and url.isascii() and url.isprintable() and " " not in url):
        raise bad_parameter(pointer, value, "通知地址必须为https地址")
    if "?" in url or "#" in url or parts.username is not None:
        raise bad_parameter(pointer, value, "通知地址不能携带参数")


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def client_ip(pointer: str, value: object) -> None:
    """An address, old or new. Raises: PayError."""
    Text(45)(pointer, value)
    try:
        ipaddress.ip_address(str(value))
    except ValueError:
        raise bad_parameter(pointer, value, "IP地址格式错误") from None


def read_body(raw: bytes, shape: Shape) -> dict[str, Any]:
    """Parse and check a body. Raises: PayError."""
    try:
        value = json.loads(raw.decode(), object_pairs_hook=_no_doubles, parse_constant=_no_constant)
        compact_json(value)  # refuses half a surrogate pair
    except (ValueError, RecursionError):
        raise bad_parameter("/", None, "请求体不是合法的JSON") from None
    shape("", value)
    body: dict[str, Any] = value
    return body


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a field is named twice")
    return dict(pairs)


def _no_constant(name: str) -> Any:
    raise ValueError(name)


OUT_TRADE_NO = Text(32, 6, re.compile(r"[0-9A-Za-z_\-|*]+"))
OUT_REFUND_NO = Text(64, 1, re.compile(r"[0-9A-Za-z_\-|*@]+"))
TIME = Text(25, 25, re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\+08:00", re.ASCII))
CURRENCY = Text(16, choices=("CNY",))
MONEY = Whole(1)

_STORE = Shape({"id": Text(32)}, {"name": Text(256), "area_code": Text(32), "address": Text(512)})
_ORDER = Shape(
    required={
        "description": Text(127),
        "out_trade_no": OUT_TRADE_NO,
        "notify_url": notify_url,
        "amount": Shape({"total": MONEY}, {"currency": CURRENCY}),
    },
    optional={
        "time_expire": TIME,
        "attach": Text(128),
        "goods_tag": Text(32),
        "support_fapiao": flag,
        "limit_pay": ListOf(Text(32), 10),
        "detail": Shape(
            optional={
                "cost_price": Whole(),
                "invoice_id": Text(32),
                "goods_detail": ListOf(
                    Shape(
                        {"merchant_goods_id": Text(32), "quantity": Whole(1), "unit_price": Whole()},
                        {"wechatpay_goods_id": Text(32), "goods_name": Text(256)},
                    )
                ),
            }
        ),
        "scene_info": Shape({"payer_client_ip": Text(45)}, {"device_id": Text(32), "store_info": _STORE}),
        "settle_info": Shape(optional={"profit_sharing": flag}),
    },
)
DIRECT_IDS = {"mchid": Text(32)}
PARTNER_IDS = {"sp_mchid": Text(32), "sub_mchid": Text(32)}
ORDER = Shape(
    {**_ORDER.required, **DIRECT_IDS, "appid": Text(32), "payer": Shape({"openid": Text(128)})}, _ORDER.optional
)
PARTNER_ORDER = Shape(
    {
        **_ORDER.required,
        **PARTNER_IDS,
        "sp_appid": Text(32),
        "payer": Shape(optional={"sp_openid": Text(128), "sub_openid": Text(128)}),
    },
    {**_ORDER.optional, "sub_appid": Text(32)},
)
_H5_INFO = Shape(
    {"type": Text(32, choices=("iOS", "Android", "Wap"))},
    {"app_name": Text(64), "app_url": Text(128), "bundle_id": Text(128), "package_name": Text(128)},
)
_H5_SCENE = Shape({"payer_client_ip": client_ip, "h5_info": _H5_INFO}, {"device_id": Text(32), "store_info": _STORE})
H5_ORDER, PARTNER_H5_ORDER = (
    Shape(
        {**{name: check for name, check in shape.required.items() if name != "payer"}, "scene_info": _H5_SCENE},
        {name: check for name, check in shape.optional.items() if name != "scene_info"},
    )
    for shape in (ORDER, PARTNER_ORDER)
)
CLOSE = Shape(DIRECT_IDS)
PARTNER_CLOSE = Shape(PARTNER_IDS)
REFUND = Shape(
    required={
        "out_refund_no": OUT_REFUND_NO,
        "amount": Shape(
            {"refund": MONEY, "total": MONEY, "currency": CURRENCY},
            {"from": ListOf(Shape({"account": Text(32, choices=("AVAILABLE", "UNAVAILABLE")), "amount": MONEY}), 10)},
        ),
    },
    optional={
        "sub_mchid": Text(32),
        "transaction_id": Text(32),
        "out_trade_no": OUT_TRADE_NO,
        "reason": Text(80),
        "notify_url": notify_url,
        "funds_account": Text(32, choices=("AVAILABLE",)),
        "goods_detail": ListOf(
            Shape(
                {
                    "merchant_goods_id": Text(32),
                    "unit_price": Whole(),
                    "refund_amount": Whole(),
                    "refund_quantity": Whole(1),
                },
                {"wechatpay_goods_id": Text(32), "goods_name": Text(256)},
            )
        ),
    },
)
#: The banks whose debit cards an abnormal refund can be sent to.
BANKS = {
    "CMB_DEBIT": "招商银行",
    "COMM_DEBIT": "交通银行",
    "ABC_DEBIT": "农业银行",
    "CCB_DEBIT": "建设银行",
    "ICBC_DEBIT": "工商银行",
    "BOC_DEBIT": "中国银行",
    "PAB_DEBIT": "平安银行",
    "SPDB_DEBIT": "浦发银行",
    "CITIC_DEBIT": "中信银行",
    "CEB_DEBIT": "光大银行",
    "CMBC_DEBIT": "民生银行",
    "CIB_DEBIT": "兴业银行",
    "GDB_DEBIT": "广发银行",
    "PSBC_DEBIT": "邮储银行",
    "NBCB_DEBIT": "宁波银行",
}
TO_USER, TO_MERCHANT = "USER_BANK_CARD", "MERCHANT_BANK_CARD"
ABNORMAL = Shape(
    required={"out_refund_no": OUT_REFUND_NO, "type": Text(32, choices=(TO_USER, TO_MERCHANT))},
    optional={
        "sub_mchid": Text(32),
        "bank_type": Text(16, choices=tuple(BANKS)),
        "bank_account": Text(1024),
        "real_name": Text(1024),
    },
)
