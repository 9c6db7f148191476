"""Pages in the order of ids: every row once, whatever is added meanwhile."""

from __future__ import annotations

import base64
from uuid import UUID

import factories
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from core.paging import Page, make_cursor, page_of, read_cursor
from core.transactions import Transactions
from models.account import Account
from models.errors import ValidationFailed


def walk(transactions: Transactions, *, limit: int, newest_first: bool = False) -> list[list[UUID]]:
    pages: list[list[UUID]] = []
    cursor = None
    while not pages or cursor:
        page: Page[Account] = transactions.read(
            lambda session, _now, after=cursor: page_of(
                session, select(Account), Account.id, cursor=after, limit=limit, newest_first=newest_first
            )
        )
        pages.append([account.id for account in page.items])
        cursor = page.next_cursor
    return pages


def test_every_row_is_on_one_page(transactions: Transactions) -> None:
    made = transactions.write(lambda session, now: [factories.make_account(session, now=now).id for _ in range(7)])
    assert walk(transactions, limit=3) == [made[:3], made[3:6], made[6:]]
    assert walk(transactions, limit=3, newest_first=True) == [made[:3:-1], made[3:0:-1], made[:1]]
    assert walk(transactions, limit=7) == [made]
    assert walk(transactions, limit=10**9) == [made]
    assert [len(page) for page in walk(transactions, limit=0)] == [1] * 7


def test_an_empty_list_is_one_empty_page(transactions: Transactions) -> None:
    assert walk(transactions, limit=3) == [[]]


def test_a_page_is_never_larger_than_a_hundred(transactions: Transactions) -> None:
    transactions.write(lambda session, now: [factories.make_account(session, now=now) for _ in range(101)])
    assert [len(page) for page in walk(transactions, limit=10**9)] == [100, 1]


def test_what_is_added_between_two_pages_moves_nothing(transactions: Transactions) -> None:
    made = transactions.write(lambda session, now: [factories.make_account(session, now=now).id for _ in range(4)])

    def look(cursor: str | None) -> Page[Account]:
        return transactions.read(
            lambda session, _now: page_of(
                session, select(Account), Account.id, cursor=cursor, limit=2, newest_first=True
            )
        )

    first = look(None)
    transactions.write(lambda session, now: factories.make_account(session, now=now).id)
    assert [account.id for account in (*first.items, *look(first.next_cursor).items)] == made[::-1]


@given(st.uuids())
def test_a_cursor_is_read_back(last: UUID) -> None:
    assert read_cursor(make_cursor(last)) == last


@given(st.text() | st.binary(max_size=30).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_no_other_word_is_a_cursor(word: str) -> None:
    try:
        last = read_cursor(word)
    except ValidationFailed:
        return
    assert make_cursor(last) == word.rstrip("=")


@pytest.mark.parametrize("word", ["", "x", "a" * 23, "=", "é" * 23, "a\n" * 12])
def test_words_that_are_none(word: str) -> None:
    with pytest.raises(ValidationFailed) as raised:
        read_cursor(word)
    assert [(error.pointer, error.code) for error in raised.value.errors] == [("?cursor", "invalid_cursor")]
