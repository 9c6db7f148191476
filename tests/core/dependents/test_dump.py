"""What a dump of the database leaves of a number: far more numbers fit than anybody could tell apart (L-14, L-20)."""

from __future__ import annotations

import csv
import random
import re
from collections import defaultdict
from datetime import date, datetime
from uuid import UUID

import pytest
from factories import make_account, make_hospital
from people import agree
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.dependents.add import NewDependent, add_dependent
from core.dependents.cards import NewCard, add_card
from core.dependents.documents import check_character
from core.dependents.regions import TABLE
from core.transactions import Transactions
from models import Base
from models.account import Purpose
from models.person import IdType, Relationship, Sex
from models.sealing import Vault

pytestmark = pytest.mark.both_suites

ACCOUNTS, EACH = 4, 5
LEAST = 1000
AREAS = sorted({row["code"] for row in csv.DictReader(TABLE.read_text(encoding="utf-8").splitlines())})
_NUMBER = re.compile(r"(?<![0-9*])[0-9*]{17}[0-9X*](?![0-9X*])")
"""A number of 18 characters, as far as it can be read."""

Clear = dict[UUID, list[str]]


def made_up(chance: random.Random) -> str:
    born = date.fromordinal(chance.randint(date(1930, 1, 1).toordinal(), date(2005, 12, 31).toordinal()))
    residents = [code for code in AREAS if code[0] in "123456"]
    head = f"{chance.choice(residents)}{born:%Y%m%d}{chance.randint(1, 999):03d}"
    return head + check_character(head)


def fill(session: Session, vault: Vault, now: datetime) -> dict[UUID, str]:
    """Dependents who have typed all that they may, their number wherever a number is taken."""
    chance, numbers = random.Random(7), {}
    hospital = make_hospital(session)
    for _ in range(ACCOUNTS):
        account = make_account(session, now=now)
        agree(session, account.id, Purpose.SERVICE, Purpose.SENSITIVE_IDENTITY, now=now)
        for nth in range(EACH):
            number = made_up(chance)
            wanted = NewDependent(
                name="测试甲",
                id_type=IdType.RESIDENT_ID,
                id_number=number,
                phone="13800000000",
                relationship=Relationship.OTHER if nth else Relationship.SELF,
                email=f"{number}@example.com",
                insurance_number=number,
            )
            one = add_dependent(session, account_id=account.id, wanted=wanted, vault=vault, now=now)
            whose = {"account_id": account.id, "dependent_id": one.id, "vault": vault, "now": now}
            add_card(session, **whose, wanted=NewCard(hospital.id, number))
            numbers[one.id] = number
    return numbers


def read_clear(session: Session) -> Clear:
    """By dependent, whatever can be read in the rows of any table that name them."""
    found: Clear = defaultdict(list)
    for table in Base.metadata.sorted_tables:
        for row in session.execute(select(table)).mappings():
            named = row["id"] if table.name == "dependents" else row.get("dependent_id")
            if named is not None:
                found[named] += [value if isinstance(value, str) else repr(value) for value in row.values()]
    return found


def born_and_sex(session: Session) -> dict[UUID, tuple[date, Sex]]:
    dependents = Base.metadata.tables["dependents"]
    rows = session.execute(select(dependents.c.id, dependents.c.birth_date, dependents.c.sex))
    return {row.id: (row.birth_date, row.sex) for row in rows}


def how_many_fit(clear: list[str], born: date, sex: Sex) -> int:
    """Of the valid numbers of every area that ever was one."""
    seen = [one for text in clear for one in _NUMBER.findall(text)]
    areas = [one for one in AREAS if all(_may_be(one, text[:6]) for text in seen)]
    sequences = [f"{one:03d}" for one in range(1, 1000) if (one % 2 == 1) == (sex is Sex.MALE)]
    sequences = [one for one in sequences if all(_may_be(one, text[14:17]) for text in seen)]
    if not seen:
        return len(areas) * len(sequences)
    heads = [f"{area}{born:%Y%m%d}{sequence}" for area in areas for sequence in sequences]
    return sum(all(_may_be(head + check_character(head), text) for text in seen) for head in heads)


def _may_be(number: str, shown: str) -> bool:
    return all(there in ("*", own) for own, there in zip(number, shown, strict=True))


def test_l_14_no_dump_is_turned_back_into_numbers(transactions: Transactions, vault: Vault) -> None:
    numbers = transactions.write(lambda session, now: fill(session, vault, now))
    clear, known = transactions.read(lambda session, _now: (read_clear(session), born_and_sex(session)))
    assert len(numbers) == ACCOUNTS * EACH
    few = {one: fit for one in list(numbers)[:: EACH - 1] if (fit := how_many_fit(clear[one], *known[one])) < LEAST}
    assert few == {}
    read = {one: text for one, number in numbers.items() for text in clear[one] if number[-4:] in text.split("*")}
    assert read == {}  # no end of it stands behind stars either


@pytest.mark.parametrize(("clear", "least", "most"), [("330***********9973", 1, 40), ("33010219900101997*", 1, 1)])
def test_what_is_counted_is_few_where_a_mask_stands_in_clear(clear: str, least: int, most: int) -> None:
    assert least <= how_many_fit([clear], date(1990, 1, 1), Sex.MALE) <= most
