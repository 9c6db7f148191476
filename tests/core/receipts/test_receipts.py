"""What a hospital has issued is kept as it is: once, whole, and for nobody else."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from harness import Patient, beside, join
from paperwork import CHECK_CODE, CODE, URL, Finance
from people import CAUSE
from sqlalchemy import update

from core.catalog.faults import Fault, InvalidDirectory
from core.dependents.remove import remove_dependent
from core.ports import Issued, ReceiptName, RefundState
from core.receipts.keep import keep_receipts
from core.receipts.views import receipt_of
from models.receipt import Receipt
from models.sealing import ERASED


@pytest.fixture
def finance(patient: Patient) -> Finance:
    return Finance(patient)


@pytest.fixture
def visit(patient: Patient) -> UUID:
    return patient.paid()


def shown(patient: Patient, appointment_id: UUID, *, opens: bool = True) -> Any:
    vault = patient.workbench.vault if opens else None
    return patient.read(lambda session: receipt_of(session, patient.appointment(appointment_id), vault=vault))


def test_a_receipt_is_kept_and_known_the_second_time(finance: Finance, visit: UUID) -> None:
    blue = finance.issue(visit)
    first, again = finance.send(), finance.send()
    assert (first.blue, first.red, first.unchanged, list(first.too_late)) == (1, 0, 0, [])
    assert (again.blue, again.red, again.unchanged) == (0, 0, 1)
    (row,) = finance.kept()
    assert (row.code, row.number, row.amount_fen, row.issued_on) == (*blue.name, 5000, date(2026, 11, 21))
    assert row.appointment_id == visit


def test_what_opens_it_stands_nowhere_in_clear(patient: Patient, finance: Finance, visit: UUID) -> None:
    finance.issue(visit)
    finance.send()
    (row,) = finance.kept()
    assert row.url_sealed is not None
    assert CHECK_CODE.encode() not in row.check_code_sealed + row.url_sealed
    vault = patient.workbench.vault
    assert (row.check_code(vault), row.url(vault)) == (CHECK_CODE, URL)
    assert CHECK_CODE not in repr(finance.said[0]) + repr(shown(patient, visit))


def test_a_red_one_ends_its_blue_one_whichever_stands_first(patient: Patient, finance: Finance, visit: UUID) -> None:
    blue = finance.issue(visit)
    red = finance.redden(blue, check_code="0000aa", url=None)
    kept = finance.send(red, blue)
    assert (kept.blue, kept.red) == (1, 1)
    view = shown(patient, visit)
    assert (view.code, view.number, view.amount_fen) == (*blue.name, 5000)
    assert (view.red.number, view.red.amount_fen, view.red.check_code, view.red.url) == (
        red.name.number, -5000, "0000aa", None,
    )  # fmt: skip
    assert finance.send().unchanged == 2


def test_the_one_that_stands_is_shown(patient: Patient, finance: Finance, visit: UUID) -> None:
    first = finance.issue(visit)
    finance.redden(first)
    second = finance.issue(visit, 3000)
    finance.send()
    assert (shown(patient, visit).number, shown(patient, visit).red) == (second.name.number, None)


def test_an_exchanged_number_shows_the_receipt_of_the_first(patient: Patient, finance: Finance, visit: UUID) -> None:
    finance.issue(visit)
    finance.send()
    new = patient.reschedule(visit, beside(patient))
    assert shown(patient, new).number == finance.said[0].name.number
    assert shown(patient, new, opens=False).check_code is None


def test_a_number_that_was_exchanged_twice_shows_it_as_well(patient: Patient, finance: Finance) -> None:
    terms = {"max_reschedules": 2}
    patient.schedule_id = beside(patient, terms=terms)
    first = patient.paid()
    finance.issue(first)
    finance.send()
    third = patient.reschedule(patient.reschedule(first, beside(patient, terms=terms)), beside(patient, terms=terms))
    assert shown(patient, third).number == finance.said[0].name.number


def test_whoever_has_none_is_shown_none(patient: Patient, finance: Finance, visit: UUID) -> None:
    other = join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id)
    finance.issue(visit)
    finance.send()
    assert shown(other, other.paid()) is None


@pytest.mark.parametrize(
    ("but", "fault"),
    [
        ({"appointment": "999999999999999"}, ("appointment_number", "no_such_appointment")),
        ({"hospital": "H-OTHER"}, ("hospital_code", "other_hospital")),
    ],
)
def test_what_is_of_nobody_here_is_refused(
    finance: Finance, visit: UUID, but: dict[str, Any], fault: tuple[str, str]
) -> None:
    assert finance.refused(finance.issue(visit, **but)) == [fault]


@pytest.mark.parametrize(
    "but",
    [
        {"amount_fen": 4999},
        {"issued_on": date(2026, 11, 20)},
        {"check_code": "3f9a1d"},
        {"url": None},
        {"reddens": ReceiptName(CODE, "9999999999"), "amount_fen": 5000},
    ],
)
def test_another_content_under_the_same_number_is_refused(finance: Finance, visit: UUID, but: dict[str, Any]) -> None:
    blue = finance.issue(visit)
    finance.send()
    assert finance.refused(replace(blue, **but)) == [("number", "other_content")]


def test_a_number_is_of_one_appointment_only(patient: Patient, finance: Finance, visit: UUID) -> None:
    blue = finance.issue(visit)
    finance.send()
    other = join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id)
    assert finance.refused(replace(finance.issue(other.paid()), name=blue.name)) == [("number", "other_content")]


def test_a_second_one_wants_the_red_one_of_the_first(finance: Finance, visit: UUID) -> None:
    finance.issue(visit)
    finance.send()
    assert finance.refused(finance.issue(visit)) == [("number", "stands_already")]
    assert finance.refused(finance.issue(visit), finance.issue(visit)) == [("number", "stands_already")] * 2


def test_a_red_one_must_fit_its_blue_one(patient: Patient, finance: Finance, visit: UUID) -> None:
    blue = finance.issue(visit)
    finance.send()
    assert finance.refused(finance.redden(blue, amount_fen=-4999)) == [("amount", "other_amount")]
    unknown = ReceiptName(CODE, "9999999999")
    assert finance.refused(finance.redden(blue, reddens=unknown)) == [("blue_number", "no_such_receipt")]
    other = join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id)
    foreign = finance.redden(blue, appointment=finance.issue(other.paid()).appointment)
    assert finance.refused(foreign) == [("blue_number", "no_such_receipt")]
    red = finance.redden(blue)
    finance.send(red)
    assert finance.refused(finance.redden(blue)) == [("blue_number", "red_already")]
    assert finance.refused(finance.redden(red, amount_fen=5000 - 10000)) == [("blue_number", "no_such_receipt")]


def test_one_bad_row_keeps_out_all_and_every_one_is_named(patient: Patient, finance: Finance, visit: UUID) -> None:
    good, bad, worse = finance.issue(visit), finance.issue(visit, hospital="H-X"), finance.issue(visit, appointment="0")
    unread = Fault("receipts.csv", 9, "code", "bad_number", "must be 8 digits")

    def step(session: Any, now: Any) -> None:
        issued = Issued([good, bad, worse], [unread])
        keep_receipts(session, issued, vault=patient.workbench.vault, now=now)

    with pytest.raises(InvalidDirectory) as refused:
        patient.write(step)
    assert [(one.line, one.code) for one in refused.value.faults] == [
        (3, "other_hospital"), (4, "no_such_appointment"), (9, "bad_number"),
    ]  # fmt: skip
    assert finance.kept() == []


def test_one_that_comes_after_its_money_went_is_kept_and_told(patient: Patient, finance: Finance, visit: UUID) -> None:
    patient.cancel(visit)
    patient.work()
    blue = finance.issue(visit)
    assert list(finance.send().too_late) == [blue]
    assert list(finance.send().too_late) == [], "known by now"


def test_one_that_comes_while_the_platform_is_told_is_late_too(
    patient: Patient, finance: Finance, visit: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    blue, tell, kept = finance.issue(visit), patient.gateway.open_refund, []

    def meanwhile(order: Any) -> Any:
        kept.append(finance.send())
        return tell(order)

    monkeypatch.setattr(patient.gateway, "open_refund", meanwhile)
    patient.cancel(visit)
    patient.work()
    assert [list(one.too_late) for one in kept] == [[blue]]


# --- forgetting


def remove(patient: Patient) -> None:
    patient.work()
    patient.hear(patient.gateway.settle_refund(patient.refunds()[-1].out_refund_no, RefundState.SUCCEEDED))
    patient.work()
    patient.write(
        lambda session, now: remove_dependent(
            session, account_id=patient.account_id, dependent_id=patient.dependent_id, now=now, cause=CAUSE
        )
    )


def test_l_06_with_the_patient_goes_what_opens_it(patient: Patient, finance: Finance, visit: UUID) -> None:
    blue = finance.issue(visit)
    finance.send()
    patient.cancel(visit)
    remove(patient)
    (row,) = finance.kept()
    assert (row.check_code_sealed, row.url_sealed, row.number) == (ERASED, None, blue.name.number)
    assert shown(patient, visit).check_code is None
    assert finance.send().unchanged == 1
    assert finance.refused(replace(blue, amount_fen=1)) == [("number", "other_content")]


def test_nothing_that_opens_it_is_kept_of_somebody_who_is_gone(patient: Patient, finance: Finance, visit: UUID) -> None:
    patient.cancel(visit)
    remove(patient)
    finance.issue(visit)
    finance.send()
    (row,) = finance.kept()
    assert (row.check_code_sealed, row.url_sealed) == (ERASED, None)


def test_a_row_is_blue_above_zero_or_red_below_it(patient: Patient, finance: Finance, visit: UUID) -> None:
    finance.issue(visit)
    finance.send()
    for amount in (0, -5000):
        with pytest.raises(Exception, match=r"ck_receipts_amount|CHECK"):
            patient.write(lambda session, _now, fen=amount: session.execute(update(Receipt).values(amount_fen=fen)))
