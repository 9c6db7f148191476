"""Many events at once, forged and genuine, and a day whose patients all get their money back: on both wallets."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from both_wallets import ALIPAY, WALLETS, WECHAT, Wallet, on_one_kind
from cases import booked_by
from hospital_acts import ORDER
from sqlalchemy import event, select
from sqlalchemy.orm import Session
from stage import Stage

from core.booking.clinic.suspend import suspend_schedule
from miniapp_api.services import EXTENSION, KEPT_PER_SECOND
from miniapp_api.throttle import Throttle
from models.notice import Notice, NoticeKind
from models.payment import Refund, RefundReason

LONGEST_ANSWER_MS = 5000
"""For so long both platforms wait for an answer."""


@contextmanager
def statements(stage: Stage) -> Iterator[list[str]]:
    """What the app sends to its database meanwhile."""
    engine, sent = stage.workbench.transactions.database.engine, list[str]()

    def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(engine, "before_cursor_execute", count)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", count)


# --- forged

FORGED: dict[str, dict[str, dict[str, Any]]] = {
    "wechat": {
        "no signature": {"headers": {"Wechatpay-Signature": None}},
        "no stamp": {"headers": {"Wechatpay-Timestamp": None}},
        "a day old": {"stamp_offset": -86400},
        "not base64": {"signature": "!!!!"},
        "another key's name": {"serial": "PUB_KEY_ID_0000000000000000000000000000000"},
        "a stranger's": {"signed_by": "stranger"},
        "another body": {"tamper": {"body": 40}},
        "no event at all": {"body": "success"},
    },
    "alipay": {
        "no signature": {"sign": ""},
        "not base64": {"sign": "!!!!"},
        "a stranger's": {"signed_by": "stranger"},
        "another body": {"tamper": {"body": 40}},
        "another app": {"app": "2021000000000001"},
        "another seller": {"seller": "2088000000000001"},
        "no event at all": {"body": "success"},
    },
}


@on_one_kind
@WALLETS
def test_a_29_what_is_forged_is_refused_before_the_database(
    stage: Stage, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Size, headers, stamp, signature: all of it in memory. The sample that is kept is capped for each second, and is
    left out here; Alipay's keys that another process may have fetched are looked for once in a pause."""
    case = wallet.opened(stage)
    monkeypatch.setitem(stage.app.extensions, EXTENSION, replace(stage.app.extensions[EXTENSION], samples=Throttle(0)))
    wallet.forge(stage, case, signed_by="stranger")  # the look for keys
    with statements(stage) as sent:
        for lie in FORGED[wallet.name].values():
            assert wallet.forge(stage, case, **lie, copies=3) == [wallet.refused] * 3, lie
        with stage.app.test_client() as client:
            for path in (f"{wallet.door}/demo", f"{wallet.door}/nobody"):
                large = client.post(path, data=b"x" * (1024 * 1024 + 1))
                assert large.status_code in {404, 413}
    assert sent == []
    assert (stage.inbox(), case.moves()) == ([], ["pending"])


@WALLETS
def test_a_29_in_a_flood_of_forgeries_every_genuine_event_is_taken(stage: Stage, wallet: Wallet) -> None:
    """Ten forged ones to each genuine one, 200 at once in place of ten times a busy minute: of the forged ones a few
    are kept, and nothing of them moves anything."""
    cases = [wallet.opened(stage) for _ in range(5)]
    wallet.spoil(stage, "notice.payment", "drop")
    told = [case.pay() for case in cases]
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        floods = [
            pool.submit(wallet.forge, stage, case, signed_by="stranger", copies=40, concurrently=True) for case in cases
        ]
        genuine = [pool.submit(stage.control, "POST", f"/notices/{one}/resend", {"copies": 4}) for one in told]
    assert {answer for flood in floods for answer in flood.result()} == {wallet.refused}
    answers = [(one["status"], one["answer"] or "") for sent in genuine for one in sent.result()["attempts"]]
    assert answers == [wallet.taken] * 20
    seconds = int(time.monotonic() - began) + 2
    stage.work()
    assert all(case.is_booked() for case in cases)
    assert stage.inbox() == [("applied", None, 4)] * 5
    assert 0 < len(stage.refused()) <= KEPT_PER_SECOND * seconds


# --- genuine

HALF_DAYS, IN_EACH = 6, 50
ALL = HALF_DAYS * IN_EACH


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_l_10_and_l_12_a_storm_of_events_and_a_day_that_is_suspended(stage: Stage) -> None:
    """The platforms were away and tell of 300 payments at once, in place of 10,000 in a minute; meanwhile others book.
    Then the whole day is suspended, and all 300 get their money back, in place of 2,000. Half of them have each
    wallet."""
    half_days = [
        stage.town.schedule(numbers=IN_EACH, now=stage.clock.now(), terms={"hold_minutes": 240})
        for _ in range(HALF_DAYS)
    ]
    others = stage.town.schedule(numbers=20, now=stage.clock.now())
    for wallet in (WECHAT, ALIPAY):
        wallet.spoil(stage, "notice.payment", "drop")
    with ThreadPoolExecutor(HALF_DAYS) as pool:
        told = [one for each in pool.map(partial(_paid_in_silence, stage), half_days) for one in each]
        storm = [pool.submit(stage.control, "POST", f"/notices/{one}/resend", {}) for one in told]
        booked = [_books(stage, others) for _ in range(20)]
        attempts = [one for each in storm for one in each.result()["attempts"]]
    assert booked == [201] * 20
    assert {(one["status"], one["answer"] or "") for one in attempts} == {WECHAT.taken, ALIPAY.taken}
    assert max(one["elapsed_ms"] for one in attempts) < LONGEST_ANSWER_MS
    assert stage.inbox() == [("received", None, 1)] * ALL
    stage.work_until(lambda: stage.inbox() == [("applied", None, 1)] * ALL, "all are applied", most=300)
    assert [stage.town.slot_statuses(one) for one in half_days] == [{"booked": IN_EACH}] * HALF_DAYS

    for half_day in half_days:
        stage.workbench.transactions.write(partial(_suspend, of=half_day))
    stage.work_until(lambda: _refunds(stage) == {"succeeded": ALL}, "everybody has their money", step=20, most=1800)
    assert [stage.town.slot_statuses(one) for one in half_days] == [{"suspended": IN_EACH}] * HALF_DAYS
    with stage.town.database.read() as session:
        back = session.execute(select(Refund.payment_id, Refund.amount_fen, Refund.reason)).all()
        told_why = session.scalars(select(Notice.reason).where(Notice.kind == NoticeKind.APPOINTMENT_CANCELLED)).all()
    assert len({one.payment_id for one in back}) == ALL
    assert {(one.amount_fen, one.reason) for one in back} == {(5000, RefundReason.SUSPENDED)}
    assert told_why == ["suspended"] * ALL
    ours = {one.out_refund_no for one in _rows(stage)}
    theirs = [one for one in stage.control("GET", "/ledger")["items"] if one.get("out_refund_no") in ours]
    assert [one["amount_fen"] for one in theirs if one["success_at"] is not None] == [5000] * ALL


def _paid_in_silence(stage: Stage, half_day: UUID) -> list[str]:
    """The events of all who took a number of the half day and paid for it, which nobody told us of."""
    events_of: list[str] = []
    for wallet in (WECHAT, ALIPAY):
        for stranger in stage.town.strangers(IN_EACH // 2, wallet.provider):
            case = booked_by(stage, stranger, half_day, channel=wallet.channel)
            assert case.open_payment().status == 201
            events_of.append(case.pay())
    return events_of


def _books(stage: Stage, schedule_id: UUID) -> int:
    stranger = stage.town.stranger()
    return stranger.phone.post("/appointments", stranger.wish(schedule_id, "on_site")).status


def _suspend(session: Session, now: datetime, *, of: UUID) -> None:
    suspend_schedule(session, schedule_id=of, order=ORDER, now=now)


def _rows(stage: Stage) -> list[Refund]:
    with stage.town.database.read() as session:
        return list(session.scalars(select(Refund)))


def _refunds(stage: Stage) -> dict[str, int]:
    return dict(Counter(str(one.status) for one in _rows(stage)))
