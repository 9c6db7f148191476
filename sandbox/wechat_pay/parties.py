"""Whom a call is about: a merchant that signs for itself, or a sub-merchant that its partner names (section 4.10)."""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

from sandbox.keys import Keyring, Merchant
from sandbox.store import Tx
from sandbox.wechat.login import is_user
from sandbox.wechat_pay import errors
from sandbox.wechat_pay.errors import PayError, bad_parameter


class Party(Enum):
    """Whom a path is for: whoever signs, a direct merchant, a partner, or either, a partner naming its sub-merchant."""

    SIGNER = auto()
    DIRECT = auto()
    PARTNER = auto()
    EITHER = auto()


def addressed(keys: Keyring, signer: Merchant, party: Party, sub_mchid: str | None) -> Merchant:
    """The merchant whose money a call is about. Raises: PayError."""
    if party is Party.SIGNER:
        return signer
    if party is (Party.DIRECT if signer.is_sub else Party.PARTNER):
        raise PayError(403, "NO_AUTH", "商户号该产品权限未开通")
    if not signer.is_sub:
        if sub_mchid is not None:
            raise bad_parameter("/sub_mchid", sub_mchid, "直连商户不能指定子商户号", number=errors.EXTRA_PARAMETER)
        return signer
    if sub_mchid is None:
        raise bad_parameter("/sub_mchid", None, "缺少必填参数")
    found = keys.merchant(sub_mchid)
    if found is None or not found.is_sub or found.mchid != signer.mchid:
        raise PayError(403, "NO_AUTH", "子商户号与服务商无绑定关系")
    return found


def check_ids(merchant: Merchant, given: Mapping[str, Any], *, location: str = "body") -> None:
    """Every merchant number that the mode has must be there, and be the right one. Raises: PayError."""
    for name, number in merchant.ids.items():
        if given.get(name) != number:
            field = f"/{name}" if location == "body" else name
            raise bad_parameter(field, given.get(name), "商户号与签名商户不一致", location=location)


def paid_in(body: Mapping[str, Any]) -> str:
    """The appid of the app that an order is paid in."""
    return str(body.get("sub_appid") or body.get("sp_appid") or body["appid"])


def payer_of(body: Mapping[str, Any]) -> str:
    """Whose order it is, as the app that is paid in knows them. Raises: PayError."""
    payer: dict[str, str] = body["payer"]
    if len(payer) != 1 or ("sub_openid" in payer and "sub_appid" not in body):
        raise bad_parameter("/payer", payer, "sp_openid和sub_openid二选一, sub_openid须同时传sub_appid")
    return next(iter(payer.values()))


def check_apps(keys: Keyring, merchant: Merchant, body: Mapping[str, Any]) -> None:
    """Each app belongs to the merchant that it is named for. Raises: PayError."""
    own = (merchant.appid, *keys.bound_appids(merchant))
    for name, allowed in (("appid", own), ("sp_appid", own), ("sub_appid", keys.sub_appids(merchant))):
        if name in body and body[name] not in allowed:
            detail = {"field": f"/{name}", "value": body[name], "issue": "appid和mchid不匹配", "location": "body"}
            raise PayError(400, "APPID_MCHID_NOT_MATCH", "appid和mch_id不匹配", errors.NOT_BOUND, detail)


def check_payer(tx: Tx, keys: Keyring, body: Mapping[str, Any]) -> None:
    """The payer is a user of that app. Raises: PayError."""
    openid = payer_of(body)
    name = next(iter(body["payer"]))
    appid = body["sp_appid"] if name == "sp_openid" else paid_in(body)
    if is_user(tx, appid, openid):
        return
    detail = {"field": f"/payer/{name}", "value": openid, "issue": "openid与appid不匹配", "location": "body"}
    if any(is_user(tx, app.appid, openid) for app in (*keys.apps, *keys.officials)):
        raise PayError(400, "OPENID_MISMATCH", "openid和appid不匹配", detail=detail)
    raise bad_parameter(f"/payer/{name}", openid, "无效的openid")
