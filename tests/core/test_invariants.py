"""Every invariant is silent on a sound world and loud on each planted row, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import plants.accounts
import plants.booking
import plants.follow_ups
import plants.grants
import plants.hospital
import plants.ledger
import plants.limits
import plants.money
import plants.receipts
import plants.rest
import plants.strikes  # noqa: F401 - importing registers the plants
import pytest
from fakes import FakeAdapters, ManualClock
from plants import PLANTS, QUIET, Plant, World, make_world, shadowed, undone
from sqlalchemy.orm import Session

from core import invariants as subject
from core.invariants import check_invariants, invariants
from core.workbench import Workbench
from models.database import Database

NAMES = [name for name, _ in invariants()]

# One clause of each money query, changed so that it no longer says the same: a plant or its neighbour must notice.
MUTANTS = (
    ("kept_money_is_what_is_due", "p.status = 'succeeded'", "1 = 1"),
    ("kept_money_is_what_is_due", "r.status <> 'closed'", "1 = 1"),
    ("kept_money_is_what_is_due", "SUM(p.received_fen)", "SUM(p.amount_fen)"),
    ("kept_money_is_what_is_due", "p.charge_id = c.id", "1 = 1"),
    ("kept_money_is_what_is_due", "r.charge_id = c.id", "1 = 1"),
    ("kept_money_is_what_is_due", "a.id = l.appointment_id", "1 = 1"),
    ("kept_money_is_what_is_due", "l.charge_id = c.id", "1 = 1"),
    ("kept_money_is_what_is_due", "AND a.pay_mode = 'online'", ""),
    ("kept_money_is_what_is_due", "AND NOT a.awaiting_payment", ""),
    ("kept_money_is_what_is_due", "AND l.voided_at IS NULL", ""),
    ("kept_money_is_what_is_due", "'arrived',", ""),
    ("kept_money_is_what_is_due", "'fulfilled',", ""),
    ("kept_money_is_what_is_due", ",'noshow'", ""),
    ("kept_money_is_what_is_due", "- (SELECT COALESCE(SUM(r", "+ (SELECT COALESCE(SUM(r"),
    ("kept_money_is_what_is_due", "<> (SELECT", "> (SELECT"),
    ("kept_money_is_what_is_due", "<> (SELECT", "< (SELECT"),
    ("line_lives_with_its_appointment", ") <> (", ") AND NOT ("),
    ("line_lives_with_its_appointment", "WHERE (l.voided_at IS NOT NULL) <> (", "WHERE l.voided_at IS NULL AND ("),
    ("price_is_the_fee", "a.fee_fen <>", "a.fee_fen >"),
    ("price_is_the_fee", "a.fee_fen <>", "a.fee_fen <"),
    ("price_is_the_fee", "l.appointment_id = a.id", "1 = 1"),
    ("price_is_the_fee", "COALESCE(SUM(l.amount_fen), 0)", "SUM(l.amount_fen)"),
    ("each_is_given_back_what_it_cost", " AND r.status <> 'closed'", ""),
    ("each_is_given_back_what_it_cost", "l.appointment_id = a.id AND r", "r"),
    ("each_is_given_back_what_it_cost", "charge_lines l WHERE l.appointment_id = a.id", "charge_lines l"),
    ("each_is_given_back_what_it_cost", "SUM(g.amount_fen)", "MAX(g.amount_fen)"),
    ("each_is_given_back_what_it_cost", ") > (", ") >= ("),
    ("refunds_within_payment", "r.status <> 'closed'", "1 = 1"),
    ("refunds_within_payment", "r.payment_id = p.id", "1 = 1"),
    ("refunds_within_payment", "> COALESCE", ">= COALESCE"),
    ("refunds_within_payment", "COALESCE(p.received_fen, 0)", "p.received_fen"),
    ("refunds_within_payment", "SUM(r.amount_fen)", "MAX(r.amount_fen)"),
    ("journal_comes_to_zero", "COUNT(e.id) < 2 OR", ""),
    ("journal_comes_to_zero", " OR SUM(e.amount_fen) <> 0", ""),
    ("received_money_is_in_the_books", "p.status = 'succeeded' AND", ""),
    ("received_money_is_in_the_books", "AND p.received_fen > 0", ""),
    ("received_money_is_in_the_books", "j.kind = 'payment_received' AND", ""),
    ("received_money_is_in_the_books", "j.subject_id = p.id", "1 = 1"),
    ("received_money_is_in_the_books", "AND e.account = 'gateway'", ""),
    ("received_money_is_in_the_books", "AND e.amount_fen = p.received_fen", ""),
    ("refund_is_settled", "AND awaits_red_since IS NULL", ""),
    ("red_receipt_comes_first", "WHERE n.reddens_id = b.id", ""),
    ("red_receipt_comes_first", "x.refund_id = r.id", "1 = 1"),
    ("red_receipt_comes_first", "l.id = x.charge_line_id", "1 = 1"),
    ("red_receipt_comes_first", "b.appointment_id = l.appointment_id", "1 = 1"),
    ("red_receipt_comes_first", "r.status IN ('processing','unknown','abnormal','succeeded') AND", ""),
    ("red_receipt_comes_first", "NOT r.by_hand", "1 = 1"),
    ("red_receipt_comes_first", "AND r.reason IN ('cancelled','suspended','rescheduled','price_lowered')", ""),
    ("red_receipt_comes_first", "b.reddens_id IS NULL AND", ""),
    ("red_receipt_comes_first", "b.kept_at < (SELECT MIN", "b.kept_at <> (SELECT MIN"),
    ("red_receipt_comes_first", "OR (o.status = 'closed'", "OR (1 = 0"),
    ("red_receipt_comes_first", "IN ('true','1')", "<> ''"),
    ("red_receipt_comes_first", "p.updated_at >= r.created_at", "1 = 0"),
    ("red_receipt_comes_first", "p.level = 'hospital' AND", ""),
    ("by_hand_is_two_peoples_word", "r.status <> 'succeeded' OR", ""),
    ("by_hand_is_two_peoples_word", "d.refund_id = r.id AND", ""),
    ("by_hand_is_two_peoples_word", "d.way = 'by_hand' AND", ""),
    ("by_hand_is_two_peoples_word", "AND d.done_at IS NOT NULL", ""),
    ("returned_money_is_in_the_books", "AND NOT r.by_hand", ""),
    ("returned_money_is_in_the_books", "r.by_hand AND NOT", "1 = 0 AND NOT"),
    ("books_tell_of_what_was", "OR r.by_hand", ""),
    ("books_tell_of_what_was", "OR NOT r.by_hand", ""),
    ("returned_money_is_in_the_books", "r.status = 'succeeded' AND", ""),
    ("returned_money_is_in_the_books", "r.status = 'closed' AND", ""),
    ("books_tell_of_what_was", "OR p.status <> 'succeeded'", ""),
    ("books_tell_of_what_was", "OR r.status <> 'succeeded'", ""),
    ("books_tell_of_what_was", "OR r.status <> 'closed'", ""),
    ("books_tell_of_what_was", "OR j.merchant <> p.merchant", ""),
    ("books_tell_of_what_was", "OR j.hospital_id <> p.hospital_id", ""),
    ("books_tell_of_what_was", "OR (r.id IS NOT NULL AND r.payment_id <> p.id)", ""),
    ("books_tell_of_what_was", "HAVING COUNT(*) > 1", "HAVING COUNT(*) > 2"),
)


@pytest.fixture
def world(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> World:
    return make_world(workbench, clock, adapters)


@pytest.fixture
def copies(world: World, database: Database) -> Iterator[Session]:
    with shadowed(database) as session:
        yield session


def loud(session: Session, world: World) -> set[str]:
    return {one.invariant for one in check_invariants(session, now=world.now)}


def heard(session: Session, world: World, act: Plant) -> set[str]:
    with undone(session):
        act(session, world)
        return loud(session, world)


def test_no_invariant_lacks_a_plant() -> None:
    assert set(NAMES) == set(PLANTS)
    assert set(QUIET) < set(NAMES)
    assert len(NAMES) == len(set(NAMES))


def test_a_sound_world_is_silent(world: World, database: Database) -> None:
    with database.read() as session:
        assert check_invariants(session, now=world.now) == []


def test_every_invariant_is_loud_on_each_of_its_plants(copies: Session, world: World) -> None:
    assert loud(copies, world) == set()
    missed = [(name, act) for name in NAMES for act in PLANTS[name] if name not in heard(copies, world, act)]
    assert missed == []


def test_what_is_only_close_to_broken_is_silent(copies: Session, world: World) -> None:
    alarmed = [(name, act) for name, acts in QUIET.items() for act in acts if name in heard(copies, world, act)]
    assert alarmed == []


def test_a_broken_row_is_named(copies: Session, world: World) -> None:
    with undone(copies):
        PLANTS["line_lives_with_its_appointment"][0](copies, world)
        (found,) = [one for one in check_invariants(copies, now=world.now) if one.invariant.startswith("line_")]
    assert found.row.replace("-", "")


def test_a_world_that_nobody_looks_after_grows_loud(world: World, database: Database) -> None:
    """Without a worker the hold of the world runs out and its job lies there."""
    with database.read() as session:
        later = {one.invariant for one in check_invariants(session, now=world.now + timedelta(days=2))}
    assert {"hold_ends_at_its_cap", "job_is_not_stuck", "payment_is_settled"} <= later


def test_a_money_query_with_one_clause_changed_is_noticed(
    copies: Session, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = dict(invariants())
    situations: list[Plant] = [lambda *_: None]

    def verdicts(name: str) -> list[bool]:
        return [name in heard(copies, world, act) for act in situations + PLANTS[name] + QUIET[name]]

    unnoticed = []
    for name, old, new in MUTANTS:
        monkeypatch.setattr(subject, "invariants", _only(name, queries[name]))
        truth = verdicts(name)
        assert old in queries[name], (name, old)
        monkeypatch.setattr(subject, "invariants", _only(name, queries[name].replace(old, new)))
        if verdicts(name) == truth:
            unnoticed.append((name, old, new))
    assert unnoticed == []


def _only(name: str, sql: str) -> Callable[[], list[tuple[str, str]]]:
    return lambda: [(name, sql)]
