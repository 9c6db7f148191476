"""A platform that is slow, down or talks nonsense, at every call we make: nothing is believed, nothing is lost, and
what stays unknown is asked about until it is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from cases import make_known, spoil
from crowd import Stranger
from stage import Stage, on_stage_with
from wire import Reply, new_key

from integrations.transport import Transport
from models.identity_check import IdentityCheck
from models.payment import PaymentStatus, RefundStatus
from models.platform import PlatformToken
from sandbox.app import Running
from sandbox.faults import PAY_TARGETS, SIGNATURE_KINDS, TRANSPORT_KINDS

PRICE = 5000
NO_ANSWER = {(503, "provider_unavailable"), (503, "outcome_unknown")}
FIGURES: Mapping[str, dict[str, Any]] = {
    "delay": {"seconds": 3, "when": "after"},  # longer than the adapters of this house wait
    "slow_body": {"seconds": 3},
}
WALKED = ("login", "token", "face.start", "face.query")
"""Of the calls without a signature, those a patient's day is made of; the others have days of their own elsewhere."""
# "untyped" is left out: an answer that does not name its scheme is taken all the same.
DAYS = [(target, kind) for target in WALKED for kind in sorted(TRANSPORT_KINDS)] + [
    (target, kind)
    for target in PAY_TARGETS
    for kind in sorted(TRANSPORT_KINDS | SIGNATURE_KINDS - {"untyped"})
    if (target, kind) != ("pay.close", "garbled")  # 204: there is nothing to garble
]


@pytest.fixture(scope="module")
def impatient() -> Iterator[None]:
    """Adapters that wait a second for an answer, not eight."""
    made = Transport.__init__

    def hurried(self: Transport, *, timeouts: object, **more: Any) -> None:
        made(self, timeouts=(1.0, 1.0), **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Transport, "__init__", hurried)
        yield


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def house(
    request: pytest.FixtureRequest, platform: Running, impatient: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """One for all of the weather; each day has patients of its own."""
    folder = tmp_path_factory.mktemp("weather")
    with on_stage_with(request.param, request, platform, folder) as opened:
        yield opened


@dataclass
class Day:
    """One fault at one call, once."""

    stage: Stage
    target: str
    kind: str

    def breaks_out(self, **match: str) -> None:
        """Once."""
        self.sets_in(times=1, **match)

    def sets_in(self, *, times: int | None = None, **match: str) -> None:
        """For good, until it is over."""
        figures = FIGURES.get(self.kind, {}) | ({"times": times} if times else {})
        spoil(self.stage, self.target, self.kind, match=match, **figures)

    def is_over(self) -> None:
        assert self.has_passed()
        self.stage.control("DELETE", "/faults")

    def has_passed(self) -> bool:
        """The fault was met, not avoided."""
        rules = self.stage.control("GET", "/faults")["items"]
        return all(one["taken"] >= 1 for one in rules if one["target"] == self.target and one["kind"] == self.kind)


def day_of_login(day: Day) -> None:
    open_id = f"o{new_key()}"
    code = _code(day, open_id)
    day.breaks_out(js_code=code)
    reply = _log_in(day, code)
    assert (reply.status, reply.code) == (503, "provider_unavailable")
    assert _log_in(day, _code(day, open_id)).status == 201  # with a fresh code, as the mini-program has


def _code(day: Day, open_id: str) -> str:
    wanted = {"provider": "wechat_miniapp", "open_id": open_id, "app": "patient"}
    return str(day.stage.control("POST", "/login-codes", wanted)["code"])


def _log_in(day: Day, code: str) -> Reply:
    body = {"provider": "wechat_miniapp", "code": code}
    return day.stage.town.send("POST", "/api/v1/sessions", body, {})


def day_of_starting_a_check(day: Day) -> None:
    """The call and the token that it needs fail alike."""
    with day.stage.town.database.write() as session:
        session.query(PlatformToken).delete()
    stranger, key = _known(day), new_key()
    day.breaks_out()
    reply = _begin(stranger, key)
    assert (reply.status, reply.code) == (503, "provider_unavailable")
    again = stranger.phone.insist("POST", *_beginning(stranger), key=key)
    assert again.status == 201, again
    if again.json["status"] == "failed":  # the platform had taken the number and does not tell what came of it
        assert again.json["reason"] == "start_lost"
        again = stranger.phone.insist("POST", *_beginning(stranger), key=new_key())
    assert (again.status, again.json["status"]) == (201, "pending")
    assert again.json["client_params"]["verifyId"]


def day_of_asking_a_check(day: Day) -> None:
    stranger = _known(day)
    begun = stranger.phone.insist("POST", *_beginning(stranger), key=new_key()).json
    day.stage.control("POST", f"/identity/{begun['client_params']['verifyId']}/pass")
    day.breaks_out()
    told = stranger.phone.insist("POST", f"/identity-checks/{begun['id']}/completion", {})
    assert (told.status, told.json["status"]) == (200, "pending")

    def is_passed() -> bool:
        with day.stage.town.database.read() as session:
            return session.get_one(IdentityCheck, UUID(begun["id"])).status == "passed"

    day.stage.work_until(is_passed, "the check is settled", step=30)


def _known(day: Day) -> Stranger:
    stranger = day.stage.town.stranger()
    make_known(day.stage, stranger)
    return stranger


def _beginning(stranger: Stranger) -> tuple[str, dict[str, str]]:
    return f"/dependents/{stranger.dependent_id}/identity-checks", {"method": "wechat_face"}


def _begin(stranger: Stranger, key: str) -> Reply:
    path, body = _beginning(stranger)
    return stranger.phone.send("POST", path, body, key=key)


def day_of_opening_a_payment(day: Day) -> None:
    """The same key and the same number, however often it takes."""
    case, key = day.stage.case(), new_key()
    day.breaks_out()
    reply = case.open_payment_once(key)
    assert isinstance(reply, Reply)
    assert (reply.status, reply.code) in NO_ANSWER
    assert [one.status for one in case.payments()] in ([PaymentStatus.UNKNOWN], [PaymentStatus.CREATED])
    if case.ledger():
        day.stage.work_until(lambda: case.payments()[0].status is PaymentStatus.PENDING, "it is known to be open")
    assert case.open_payment(key).status == 201
    assert case.open_payment().json["out_trade_no"] == case.trade_no
    assert case.counts() == (["trade"], 1, 0)
    day.stage.deliver(case.pay())
    day.stage.work_until(case.is_booked, "booked")


def day_of_asking_a_payment(day: Day) -> None:
    case = day.stage.opened()
    spoil(day.stage, "notice.payment", "drop", match={"out_trade_no": case.trade_no})
    case.pay()
    day.breaks_out(out_trade_no=case.trade_no)
    day.stage.work(after=timedelta(seconds=6))
    assert case.status() == "pending"
    day.stage.work_until(case.is_booked, "booked by asking again")
    assert case.counts() == (["trade"], 1, 0)


def day_of_closing_a_payment(day: Day) -> None:
    case = day.stage.opened()
    day.sets_in(out_trade_no=case.trade_no)
    day.stage.clock.set(case.payments()[0].expires_at + timedelta(seconds=1))
    _meet(day)
    if case.ledger()[0]["state"] == "NOTPAY":
        assert case.status() == "pending"
        assert day.stage.town.slot_statuses(case.schedule_id)["held"] == 1
    day.is_over()
    day.stage.work_until(lambda: case.status() == "cancelled", "given up", most=60)
    day.stage.work()
    assert day.stage.town.slot_statuses(case.schedule_id) == {"free": 2}
    assert case.ledger()[0]["state"] == "CLOSED"


def _meet(day: Day) -> None:
    """Work in rounds until the fault was met, and no longer."""
    runner = day.stage.runner()
    while not day.has_passed():
        assert runner.run_due()


def day_of_refunding(day: Day) -> None:
    case = day.stage.paid()
    spoil(day.stage, "notice.refund", "drop", match={"out_trade_no": case.trade_no})
    assert case.cancel().status == 200
    day.breaks_out(out_trade_no=case.trade_no)
    _meet(day)
    assert case.refunds()[0].status in {RefundStatus.DUE, RefundStatus.UNKNOWN}
    number = case.refunds()[0].out_refund_no
    day.stage.work_until(case.is_refunded, "refunded", step=10)
    assert [one.out_refund_no for one in case.refunds()] == [number]
    assert case.counts() == (["refund", "trade"], 1, 1)
    assert case.kept_fen() == 0


def day_of_asking_a_refund(day: Day) -> None:
    case = day.stage.paid()
    spoil(day.stage, "notice.refund", "drop", match={"out_trade_no": case.trade_no})
    assert case.cancel().status == 200
    day.stage.work()
    assert case.refunds()[0].status is RefundStatus.PROCESSING
    day.breaks_out(out_refund_no=case.refunds()[0].out_refund_no)
    day.stage.clock.advance(timedelta(seconds=11))
    _meet(day)
    assert case.refunds()[0].status is RefundStatus.PROCESSING
    day.stage.work_until(case.is_refunded, "refunded by asking again", step=10)
    assert case.counts() == (["refund", "trade"], 1, 1)


SCENES: Mapping[str, Callable[[Day], None]] = {
    "login": day_of_login,
    "token": day_of_starting_a_check,
    "face.start": day_of_starting_a_check,
    "face.query": day_of_asking_a_check,
    "pay.create": day_of_opening_a_payment,
    "pay.query": day_of_asking_a_payment,
    "pay.close": day_of_closing_a_payment,
    "refund.create": day_of_refunding,
    "refund.query": day_of_asking_a_refund,
}


def spend(house: Stage, target: str, kind: str) -> None:
    """A day begins at the present; what other days left for later stays later."""
    house.return_to_the_present()
    house.control("DELETE", "/faults")
    day = Day(house, target, kind)
    SCENES[target](day)
    assert day.has_passed()
    assert house.town.broken(now=house.clock.now()) == []


@pytest.mark.parametrize("house", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("target", "kind"), DAYS)
def test_f_36_f_37_f_51_f_57_every_call_in_every_weather(house: Stage, target: str, kind: str) -> None:
    """F-36, F-37, F-40, F-41, F-51, F-57."""
    spend(house, target, kind)


@pytest.mark.parametrize("house", ["postgres"], indirect=True)
@pytest.mark.parametrize("target", SCENES)
def test_every_call_with_its_answer_lost(house: Stage, target: str) -> None:
    """F-41, F-51."""
    spend(house, target, "drop_after")
