"""What a platform sent is kept as long as somebody may ask, and not for ever."""

from __future__ import annotations

from datetime import timedelta

from harness import Patient
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.payments.forget_events import KEPT_FOR, forget_events
from models.base import new_id
from models.platform import EventState, PlatformEvent, RefusedEvent
from models.sealing import ERASED


def events(patient: Patient) -> list[PlatformEvent]:
    return patient.read(lambda session: list(session.scalars(select(PlatformEvent))))


def test_l_06_the_words_go_after_half_a_year_and_the_row_stays(patient: Patient) -> None:
    patient.paid()
    said = patient.gateway.trades[patient.payments()[-1].out_trade_no]
    patient.hear(said, event_id="again")
    patient.work()
    patient.clock.advance(KEPT_FOR)
    patient.write(lambda session, now: forget_events(session, now=now))
    assert all(one.body != ERASED for one in events(patient)), "to the last moment"
    patient.clock.advance(timedelta(microseconds=1))
    patient.write(lambda session, now: forget_events(session, now=now))
    kept = events(patient)
    assert [(one.body, one.headers) for one in kept] == [(ERASED, {})] * len(kept)
    before = len(kept)
    patient.hear(said, event_id="again")
    assert len(events(patient)) == before, "one that comes again is known"
    patient.work()
    assert not [one for one in patient.broken() if one.invariant == "only_verified_messages_move"]


def test_l_06_what_waits_to_be_applied_keeps_its_words(patient: Patient) -> None:
    patient.open_payment(patient.book())
    patient.hear(patient.gateway.pay(patient.payments()[-1].out_trade_no))
    patient.clock.advance(2 * KEPT_FOR)
    patient.write(lambda session, now: forget_events(session, now=now))
    (waiting,) = events(patient)
    assert (waiting.state, waiting.body != ERASED) == (EventState.RECEIVED, True)


def test_l_06_what_nothing_proved_goes_whole(patient: Patient) -> None:
    def keep(session: Session, now: object) -> None:
        for days in (0, 1):
            refused = RefusedEvent(
                id=new_id(), provider="wechat_pay", merchant="demo", reason="bad_signature", headers={}, body=b""
            )
            refused.received_at = patient.clock.now() - days * (KEPT_FOR + timedelta(days=1))
            session.add(refused)

    patient.write(keep)
    patient.write(lambda session, now: forget_events(session, now=now))
    left = patient.read(lambda session: list(session.scalars(select(RefusedEvent))))
    assert [one.received_at for one in left] == [patient.clock.now()]
