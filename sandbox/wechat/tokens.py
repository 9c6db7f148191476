"""Access tokens of an app: `/cgi-bin/token` and `/cgi-bin/stable_token`, two families that leave each other alone.

Protocol section 0.1. Every check and its write are one transaction, so two hundred workers that ask at once are given
one and the same stable token.
"""

from collections.abc import Mapping
from typing import Any

from sandbox.context import Sandbox
from sandbox.crypto import random_digits, random_letters
from sandbox.keys import App
from sandbox.store import Row, Tx, first
from sandbox.wechat.exchange import ApiError

LIFE = 7200
OVERLAP = 300
FORCED_PER_DAY = 20
FORCED_APART = 30
DAY = 86400


def fetch_plain_token(sandbox: Sandbox, app: App) -> dict[str, Any]:
    """`/cgi-bin/token`: a new token at each call; the one before lives on for five minutes."""
    with sandbox.store.transaction() as tx:
        now = sandbox.clock.now()
        _count(tx, app, "plain")
        tx.execute(
            "update access_tokens set dies_at = min(dies_at, ?) where appid = ? and family = 'plain'",
            (now + OVERLAP, app.appid),
        )
        return _issue(tx, app, "plain", now, forced=False)


def fetch_stable_token(sandbox: Sandbox, app: App, body: Mapping[str, object]) -> dict[str, Any]:
    """`/cgi-bin/stable_token`: the same token until five minutes before its end, then a new one beside it."""
    force = body.get("force_refresh", False)
    if not isinstance(force, bool):
        raise ApiError(47001, "force_refresh")
    with sandbox.store.transaction() as tx:
        now = sandbox.clock.now()
        _count(tx, app, "stable")
        if force:
            _allow_force(tx, app, now)
            tx.execute(
                "update access_tokens set dies_at = min(dies_at, ?) where appid = ? and family = 'stable'",
                (now, app.appid),
            )
            return _issue(tx, app, "stable", now, forced=True)
        token = first(
            tx,
            "select * from access_tokens where appid = ? and family = 'stable' and dies_at > ? "
            "order by issued_at desc limit 1",
            (app.appid, now),
        )
        if token is not None and token["expires_at"] - now > OVERLAP:
            return {"access_token": token["token"], "expires_in": int(token["expires_at"] - now)}
        return _issue(tx, app, "stable", now, forced=False)


def holder_of(sandbox: Sandbox, token: str | None) -> App:
    """The app an access token speaks for. Raises: ApiError 41001, 40001, 42001."""
    if not token:
        raise ApiError(41001)
    row = sandbox.store.one("select * from access_tokens where token = ?", (token,))
    if row is None:
        raise ApiError(40001)
    now = sandbox.clock.now()
    if row["expires_at"] <= now:
        raise ApiError(42001)
    if row["dies_at"] <= now:
        raise ApiError(40001)
    app = sandbox.keys.app(row["appid"])
    if app is None:
        raise ApiError(40001)
    return app


def token_counts(sandbox: Sandbox) -> list[Row]:
    """How often each app fetched a token, and how many different ones it was given."""
    return sandbox.store.all(
        "select appid, family, fetches, (select count(*) from access_tokens t where t.appid = f.appid "
        "and t.family = f.family) as issued from token_fetches f order by appid, family"
    )


def _count(tx: Tx, app: App, family: str) -> None:
    tx.execute(
        "insert into token_fetches values (?, ?, 1) on conflict (appid, family) do update set fetches = fetches + 1",
        (app.appid, family),
    )


def _allow_force(tx: Tx, app: App, now: float) -> None:
    forced = tx.execute(
        "select issued_at from access_tokens where appid = ? and forced = 1 and issued_at > ? order by issued_at desc",
        (app.appid, now - DAY),
    ).fetchall()
    if forced and now - forced[0]["issued_at"] < FORCED_APART:
        raise ApiError(45011)
    if len(forced) >= FORCED_PER_DAY:
        raise ApiError(45009)


def _issue(tx: Tx, app: App, family: str, now: float, *, forced: bool) -> dict[str, Any]:
    token = f"{random_digits(2)}_{random_letters(134)}"
    tx.execute(
        "insert into access_tokens values (?, ?, ?, ?, ?, ?, ?)",
        (token, app.appid, family, now, now + LIFE, now + LIFE, forced),
    )
    return {"access_token": token, "expires_in": LIFE}
