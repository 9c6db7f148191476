"""周岁 is reached on the birthday itself, and a proof once given is not lost by a weaker one."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from models.person import Dependent, IdentityStatus

AT = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("birth", "on", "years"),
    [
        (date(2008, 11, 22), date(2026, 11, 21), 17),
        (date(2008, 11, 22), date(2026, 11, 22), 18),
        (date(2008, 2, 29), date(2026, 2, 28), 17),
        (date(2008, 2, 29), date(2026, 3, 1), 18),
        (date(2008, 2, 29), date(2028, 2, 28), 19),
        (date(2008, 2, 29), date(2028, 2, 29), 20),
        (date(2026, 11, 22), date(2026, 11, 22), 0),
        (date(2025, 12, 31), date(2026, 1, 1), 0),
        (date(1926, 1, 1), date(2026, 1, 1), 100),
    ],
)
def test_1_2_8_age_in_full_years_is_reached_on_the_birthday(birth: date, on: date, years: int) -> None:
    assert Dependent(birth_date=birth).age(on=on) == years


def dependent(*, level: int = 0, status: IdentityStatus = IdentityStatus.UNVERIFIED) -> Dependent:
    return Dependent(identity_level=level, identity_status=status, identity_method=None)


def test_a_level_once_reached_is_not_lowered() -> None:
    one = dependent()
    one.note_check_passed(level=2, method="on_site", at=AT)
    one.note_check_passed(level=1, method="name_match", at=AT)
    assert (one.identity_level, one.identity_method) == (2, "on_site")


@pytest.mark.parametrize("expired", [True, False])
def test_a_standing_proof_survives_another_attempt(expired: bool) -> None:
    proven, new = dependent(level=2, status=IdentityStatus.VERIFIED), dependent()
    for one in (proven, new):
        one.note_check_pending()
    assert (proven.identity_status, new.identity_status) == (IdentityStatus.VERIFIED, IdentityStatus.PENDING)
    for one in (proven, new):
        one.note_check_failed(expired=expired)
    assert proven.identity_status is IdentityStatus.VERIFIED
    assert new.identity_status is (IdentityStatus.EXPIRED if expired else IdentityStatus.REJECTED)
