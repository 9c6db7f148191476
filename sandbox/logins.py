"""Login codes of every kind of app, by the provider's name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sandbox.alipay import login as alipay
from sandbox.context import Sandbox
from sandbox.wechat import login as miniapp
from sandbox.wechat_official import oauth as official


@dataclass(frozen=True)
class Person:
    """Who logs in where; without `app` the first one is meant."""

    open_id: str
    app: str | None = None
    union_id: str | None = None
    phone: str | None = None
    user_id: str | None = None


@dataclass(frozen=True)
class LoginCode:
    """What the phone hands to the app; it can be used once, within `expires_in` seconds."""

    code: str
    app: str
    appid: str
    expires_in: int


#: None where there is no such app.
Issue = Callable[[Sandbox, Person], LoginCode | None]


def _wechat_miniapp(sandbox: Sandbox, person: Person) -> LoginCode | None:
    app = sandbox.keys.app_named(person.app)
    if app is None:
        return None
    code = miniapp.issue_code(sandbox, app, person.open_id, person.union_id, person.phone)
    return LoginCode(code, app.name, app.appid, miniapp.CODE_LIFE)


def _wechat_official(sandbox: Sandbox, person: Person) -> LoginCode | None:
    account = sandbox.keys.official_named(person.app)
    if account is None:
        return None
    code = official.issue_code(sandbox, account, person.open_id, person.union_id, person.phone)
    return LoginCode(code, account.name, account.appid, miniapp.CODE_LIFE)


def _alipay_miniapp(sandbox: Sandbox, person: Person) -> LoginCode | None:
    account = sandbox.accounts.miniapp(person.app)
    if account is None:
        return None
    code = alipay.issue_code(
        sandbox, account, person.open_id, user_id=person.user_id, union_id=person.union_id, phone=person.phone
    )
    return LoginCode(code, account.app, account.app_id, alipay.CODE_LIFE)


PROVIDERS: Mapping[str, Issue] = {
    "wechat_miniapp": _wechat_miniapp,
    "wechat_official": _wechat_official,
    "alipay_miniapp": _alipay_miniapp,
}
#: Where a person has a second name.
WITH_USER_ID = frozenset({"alipay_miniapp"})
