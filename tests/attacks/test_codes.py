"""One provocation for each problem code that the contract documents."""

from __future__ import annotations

import pytest
from provocations import NOT_YET, PROVOCATIONS
from ward import OPERATIONS, Ward

from miniapp_api.problems import PROBLEMS


def test_the_list_is_the_registry() -> None:
    documented = {code for operation in OPERATIONS.values() for code in operation.codes}
    assert PROVOCATIONS.keys() | NOT_YET == PROBLEMS.keys()
    assert not PROVOCATIONS.keys() & NOT_YET
    assert documented <= PROVOCATIONS.keys()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("code", sorted(PROBLEMS.keys() - NOT_YET - {"overloaded"}))
def test_every_documented_code_is_provoked(ward: Ward, code: str) -> None:
    reply = PROVOCATIONS[code](ward)
    assert (reply.status, reply.code) == (PROBLEMS[code].status, code)


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_overload_is_provoked_where_others_hold_locks(ward: Ward) -> None:
    reply = PROVOCATIONS["overloaded"](ward)
    assert (reply.status, reply.code) == (503, "overloaded")
