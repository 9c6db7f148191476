"""`/control/faults`: the script of what goes wrong."""

from typing import Any

from flask import Blueprint, Response, jsonify

from sandbox import faults
from sandbox.context import this_sandbox
from sandbox.control.access import check_access
from sandbox.control.body import ControlError, Kind, between, read
from sandbox.store import first

MOST_TIMES = 100_000
MOST_COPIES = 200
LONGEST = 86400.0

#: Figures that go with a kind; what does not belong to the kind is refused rather than ignored.
FIGURES: dict[str, dict[str, Kind]] = {
    "delay": {"seconds": (int, float), "when": str},
    "slow_body": {"seconds": (int, float)},
    "stale": {"seconds": (int, float), "attempts": int},
    "error": {"status": int, "code": (int, str), "message": str, "retry_after": int},
    "error_after": {"status": int, "code": (int, str), "message": str, "retry_after": int},
    "rate_limited": {"status": int, "code": (int, str), "message": str, "retry_after": int},
    "unsigned_error": {"code": (int, str), "message": str},
    "garbled": {"resign": bool},
    "refuse": {"reason": str},
    "duplicate": {"copies": int},
    "late": {"seconds": (int, float)},
    "reorder": {"seconds": (int, float)},
    "wrong_amount": {"amount_fen": int, "attempts": int},
    "extra_line": {"amount_fen": int},
    **{
        kind: {"attempts": int}
        for kind in (
            "bad_signature",
            "signtest",
            "unsigned",
            "unknown_serial",
            "forged",
            "untyped",
            "wrong_currency",
            "wrong_merchant",
            "other_merchant",
            "wrong_app",
            "wrong_seller",
            "unknown_number",
        )
    },
}
MATCHES = frozenset(
    {
        "out_trade_no",
        "out_refund_no",
        "transaction_id",
        "merchant",
        "mchid",
        "event_type",
        "app",
        "appid",
        "js_code",
        "openid",
        "out_seq_no",
        "verify_id",
        "phone",
        "template",
        "claim",
        "bill_date",
    }
)

scripts = Blueprint("control_scripts", __name__, url_prefix="/control/faults")
scripts.before_request(check_access)


@scripts.post("")
def add_fault() -> tuple[Response, int]:
    """Script a fault."""
    target, kind, times, match, params = _read_fault()
    with this_sandbox().store.transaction() as tx:
        rule = first(
            tx,
            "select * from faults where id = ?",
            (faults.script(tx, target, kind, times=times, match=match, params=params),),
        )
        assert rule is not None
        return jsonify(faults.describe(rule)), 201


@scripts.get("")
def list_faults() -> Response:
    """Rules in the order they are tried, used-up ones included."""
    return jsonify(
        {"items": [faults.describe(rule) for rule in this_sandbox().store.all("select * from faults order by id")]}
    )


@scripts.delete("")
def clear_faults() -> tuple[str, int]:
    """Let everything go well again."""
    with this_sandbox().store.transaction() as tx:
        tx.execute("delete from faults")
    return "", 204


@scripts.delete("/<int:rule_id>")
def clear_fault(rule_id: int) -> tuple[str, int]:
    """Take one rule back."""
    with this_sandbox().store.transaction() as tx:
        if tx.execute("delete from faults where id = ?", (rule_id,)).rowcount == 0:
            raise ControlError(404, "fault_not_found")
    return "", 204


def _read_fault() -> tuple[str, str, int | None, dict[str, str], dict[str, Any]]:
    every: dict[str, Kind] = {name: kind for figures in FIGURES.values() for name, kind in figures.items()}
    given = read({"target": str, "kind": str}, {"times": int, "match": dict, **every})
    target, kind = given.pop("target"), given.pop("kind")
    if target not in faults.KINDS:
        raise ControlError(422, "unknown_target", ", ".join(sorted(faults.KINDS)))
    if kind not in faults.KINDS[target]:
        raise ControlError(422, "unknown_kind", f"{target} knows: {', '.join(sorted(faults.KINDS[target]))}")
    times, match = given.pop("times", None), given.pop("match", {})
    _check_match(match)
    _check_figures(target, kind, times, given)
    return target, kind, times, match, given


def _check_match(match: dict[str, Any]) -> None:
    for name, value in match.items():
        if name not in MATCHES or not isinstance(value, str):
            raise ControlError(422, "unknown_match", f"{name}; known, each a string: {', '.join(sorted(MATCHES))}")


def _check_figures(target: str, kind: str, times: int | None, given: dict[str, Any]) -> None:
    stray = given.keys() - FIGURES.get(kind, {}).keys()
    if stray or ("attempts" in given and "notice." not in target):
        raise ControlError(422, "unknown_field", f"{', '.join(sorted(stray) or ['attempts'])} does not go with {kind}")
    ranges = {
        "seconds": (0, LONGEST),
        "copies": (1, MOST_COPIES),
        "attempts": (1, 16),
        "status": (400, 599),
        "retry_after": (0, 3600),
        "amount_fen": (0, 10**12),
    }
    for name, (least, most) in ranges.items():
        if name in given:
            between(name, given[name], least, most)
    if times is not None:
        between("times", times, 1, MOST_TIMES)
    if given.get("when", "before") not in ("before", "after"):
        raise ControlError(422, "out_of_range", "when: before, after")
    if target in faults.ERRCODE_TARGETS and not isinstance(given.get("code", 0), int):
        raise ControlError(422, "wrong_type", "code: an errcode")
