"""What an operator reads and does about deliveries that the platform waits for."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from click.testing import Result
from fakes import FakeShipping
from ward import Ward, add, book

from core.clock import HOSPITAL_ZONE
from core.ports import ProviderRefused, ProviderUnavailable
from miniapp_api.services import EXTENSION
from models.database import Database


@pytest.fixture
def platform(ward: Ward) -> FakeShipping:
    made = FakeShipping()
    ward.adapters.shipping.append(made)
    return made


def run(ward: Ward, *args: str) -> Result:
    return ward.app.test_cli_runner().invoke(args=list(args))


def said(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]


def pay(ward: Ward) -> str:
    an = ward.log_in("an")
    made = book(an, ward.schedule(terms={"min_identity_level": 0}), add(an), "online").json
    assert an.post(f"/appointments/{made['id']}/payments", {"channel": "wechat_jsapi"}).status == 201
    (number,) = ward.adapters.the_gateway.orders
    ward.adapters.the_gateway.pay(number)
    ward.work(after=timedelta(seconds=10))
    return str(number)


def today(ward: Ward) -> str:
    return ward.clock.now().astimezone(HOSPITAL_ZONE).date().isoformat()


def test_what_was_refused_is_listed_and_reported_again(ward: Ward, platform: FakeShipping) -> None:
    platform.failures = [ProviderRefused("10060031")]
    number = pay(ward)
    assert said(run(ward, "list-shipping")) == []
    ward.work(after=timedelta(minutes=2))
    (shown,) = said(run(ward, "list-shipping"))
    told = {name: shown[name] for name in ("app", "merchant", "out_trade_no", "told_times", "last_refusal", "refused")}
    assert told == {
        "app": "patient",
        "merchant": "demo",
        "out_trade_no": number,
        "told_times": 1,
        "last_refusal": "10060031",
        "refused": True,
    }
    again = run(ward, "report-shipping", "patient", "--since", today(ward))
    assert said(again) == [{"app": "patient", "to_report": 1}]
    ward.work()
    assert (len(platform.heard), said(run(ward, "list-shipping"))) == (1, [])
    assert said(run(ward, "report-shipping", "patient", "--since", today(ward))) == [{"app": "patient", "to_report": 0}]


def test_what_waits_too_long_is_listed(ward: Ward, platform: FakeShipping) -> None:
    platform.failures = [ProviderUnavailable("timeout")] * 90
    pay(ward)
    ward.work(after=timedelta(minutes=30))
    assert said(run(ward, "list-shipping")) == []
    ward.work(after=timedelta(minutes=31))
    (shown,) = said(run(ward, "list-shipping"))
    assert (shown["refused"], shown["last_refusal"]) == (False, None)


@pytest.mark.parametrize(
    ("is_on", "managed", "code"), [(True, True, 0), (False, False, 0), (True, False, 1), (False, True, 1)]
)
def test_the_setting_is_held_against_what_the_platform_says(
    *, ward: Ward, platform: FakeShipping, is_on: bool, managed: bool, code: int
) -> None:
    platform.is_on, platform.managed = is_on, managed
    result = run(ward, "check-shipping")
    assert said(result) == [{"app": "patient", "trade_managed": is_on, "platform_says": managed}]
    assert result.exit_code == code


def test_a_platform_that_says_nothing_is_told(ward: Ward, platform: FakeShipping) -> None:
    platform.unasked = [ProviderRefused("48001")]
    result = run(ward, "check-shipping")
    assert said(result) == [{"app": "patient", "trade_managed": True, "platform_says": None}]
    assert result.exit_code == 1


def test_where_nothing_waits_nothing_is_said(ward: Ward) -> None:
    result = run(ward, "check-shipping")
    assert (said(result), result.exit_code) == ([], 0)
    refused = run(ward, "report-shipping", "patient", "--since", today(ward))
    assert (refused.exit_code, "not_trade_managed" in refused.output) == (1, True)
    assert run(ward, "report-shipping", "patient", "--since", "yesterday").exit_code == 2
    assert run(ward, "report-shipping", "patient").exit_code == 2


def test_a_database_that_is_away_is_told(ward: Ward, platform: FakeShipping) -> None:
    transactions = ward.app.extensions[EXTENSION].workbench.transactions
    transactions.database.close()
    transactions.database = Database("postgresql://nobody@127.0.0.1:1/none")
    for command in (("list-shipping",), ("report-shipping", "patient", "--since", "2026-11-22T10:00")):
        result = run(ward, *command)
        assert (result.exit_code, "busy or away (overloaded)" in result.output) == (1, True), command
