"""A-52: limits count the right one, and nobody chooses by a header who that is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from sqlalchemy.engine import URL
from werkzeug.test import TestResponse

from miniapp_api.app import App
from miniapp_api.config import Config
from miniapp_api.limits import address_group

Make = Callable[..., FlaskClient]
LogIn = Callable[[FlaskClient], dict[str, str]]


@pytest.fixture
def database_url(sqlite_url: URL) -> str:
    return str(sqlite_url)


@pytest.fixture
def limited(make_app: Callable[[Config], App], config: Config) -> Make:
    """A client of an app with these limits."""
    return lambda **limits: make_app(replace(config, **limits)).test_client()


def get(client: FlaskClient, path: str, address: str, **headers: str) -> TestResponse:
    return client.get(path, headers=headers, environ_base={"REMOTE_ADDR": address})


def statuses(client: FlaskClient, path: str, addresses: list[str], **headers: str) -> list[int]:
    return [get(client, path, address, **headers).status_code for address in addresses]


def test_an_address_is_limited_and_told_when_to_come_back(limited: Make) -> None:
    client = limited(address_limit="2/minute")
    assert statuses(client, "/api/v1/time", ["192.0.2.1"] * 3 + ["192.0.2.2"]) == [200, 200, 429, 200]
    reply = get(client, "/api/v1/time", "192.0.2.1")
    body = reply.get_json(force=True)
    assert (body["code"], reply.content_type) == ("rate_limited", "application/problem+json")
    assert 1 <= int(reply.headers["Retry-After"]) <= 60
    assert body["retry_at"].startswith("2026-11-22T02:0")


def test_strangers_without_a_login_are_limited_too(limited: Make) -> None:
    client = limited(address_limit="2/minute")
    assert statuses(client, "/api/v1/own-probe", ["192.0.2.1"] * 3) == [401, 401, 429]


def test_an_account_is_limited_from_wherever_it_asks(limited: Make, login_at: LogIn) -> None:
    client = limited(account_limit="2/minute")
    first, second = login_at(client), login_at(client)
    asked = [get(client, "/api/v1/own-probe", f"192.0.2.{at}", **first).status_code for at in range(3)]
    assert asked == [200, 200, 429]
    assert get(client, "/api/v1/own-probe", "192.0.2.1", **second).status_code == 200


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "CF-Connecting-IP", "Client-IP"])
def test_a_52_without_a_proxy_of_ours_no_header_names_the_address(limited: Make, header: str) -> None:
    client = limited(address_limit="1/minute")
    assert get(client, "/api/v1/time", "192.0.2.1", **{header: "198.51.100.1"}).status_code == 200
    assert get(client, "/api/v1/time", "192.0.2.1", **{header: "198.51.100.2"}).status_code == 429


def test_a_52_exactly_the_trusted_hops_are_believed(limited: Make) -> None:
    client = limited(address_limit="1/minute", trusted_proxies=1)
    for claimed, status in (("203.0.113.9, 198.51.100.1", 200), ("1.1.1.1, 198.51.100.1", 429), ("198.51.100.2", 200)):
        assert get(client, "/api/v1/time", "10.0.0.1", **{"X-Forwarded-For": claimed}).status_code == status


def test_a_52_two_hops_take_the_second_last(limited: Make) -> None:
    client = limited(trusted_proxies=2)
    sent = {
        "X-Forwarded-For": "6.6.6.6, 198.51.100.1, 10.0.0.2",
        "X-Forwarded-Host": "evil.cn",
        "X-Forwarded-Proto": "x",
    }
    reply = client.post("/api/v1/probe/login", headers=sent)
    assert reply.json == {"seen": {"from": "198.51.100.1", "host": "localhost", "scheme": "http"}}


def test_ipv6_counts_by_line(limited: Make) -> None:
    client = limited(address_limit="1/minute")
    asked = ["2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1"]
    assert statuses(client, "/api/v1/time", asked) == [200, 429, 200]


@pytest.mark.parametrize(
    ("address", "group"),
    [("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("2001:db8::1", "2001:db8::/64"),
     ("fe80::1%eth0", "fe80::/64"), (None, "unknown"), ("", "unknown"), ("unix:", "unknown")],
)  # fmt: skip
def test_groups_of_addresses(address: str | None, group: str) -> None:
    assert address_group(address) == group


def test_logins_have_a_limit_of_their_own(limited: Make) -> None:
    client = limited(login_limit="2/minute")
    tried = [client.post("/api/v1/probe/login").status_code for _ in range(3)]
    assert tried == [200, 200, 429]
    assert client.get("/api/v1/time").status_code == 200


def test_platforms_and_health_are_not_limited_by_address(limited: Make) -> None:
    client = limited(address_limit="1/minute")
    assert statuses(client, "/healthz", ["192.0.2.1"] * 3) == [200] * 3
    for _ in range(3):
        assert client.post("/callbacks/probe/main", environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 200
    assert get(client, "/api/v1/time", "192.0.2.1").status_code == 200
