"""What a script does to a bill: lines that are too many, too few or other ones, sums that are wrong, a file cut short.

Rules that touch lines leave a bill that is whole in itself: its sums are those of the lines it shows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from sandbox import faults
from sandbox.billing import days
from sandbox.billing.lines import PAYMENT, Line, fee_of
from sandbox.faults import Fault
from sandbox.store import Tx

DEFAULT_EXTRA_FEN = 1500
OTHER_STATES = {PAYMENT: "REVOKED"}


@dataclass(frozen=True)
class Planted:
    """The lines as they will be shown, and what else is wrong, by the names of its kinds."""

    lines: list[Line]
    kinds: frozenset[str] = field(default=frozenset())


def plant(tx: Tx, target: str, day: date, facts: Mapping[str, str | None], lines: Sequence[Line]) -> Planted:
    """Apply every rule of the target that fits, in the order they were made; each uses up one turn.

    A rule whose `match` names a number is about the line with it, and waits where there is none; without one, the
    first line is meant.
    """
    shown, kinds = list(lines), set()
    for rule in faults.live(tx, target, faults.BILL_KINDS):
        match = faults.match_of(rule)
        about = {name: value for name, value in match.items() if name not in facts}
        if any(facts[name] != value for name, value in match.items() if name in facts):
            continue
        place = next((at for at, line in enumerate(shown) if _is_about(line, about)), None)
        fault = faults.load_rule(rule)
        if place is None and (about or fault.kind in _CHANGES):
            continue
        faults.use(tx, rule)
        if fault.kind in _CHANGES:
            assert place is not None
            shown[place : place + 1] = _CHANGES[fault.kind](shown[place], fault)
        elif fault.kind == "extra_line":
            shown.append(_extra(int(rule["id"]), day, fault))
        else:
            kinds.add(fault.kind)
    return Planted(shown, frozenset(kinds))


def _is_about(line: Line, about: Mapping[str, str]) -> bool:
    """A refund goes by its own number; the number of its order names the payment."""
    numbers = {"out_refund_no": line.out_refund_no, "transaction_id": line.trade_no}
    if line.kind == PAYMENT or "out_refund_no" in about:
        numbers["out_trade_no"] = line.out_trade_no
    return all(numbers.get(name) == value for name, value in about.items())


def _extra(number: int, day: date, fault: Fault) -> Line:
    """A payment at noon that nobody asked for; the same one whenever the rule is applied."""
    fen = int(fault.params.get("amount_fen", DEFAULT_EXTRA_FEN))
    noon = days.begin(day, 12)
    return Line(
        kind=PAYMENT,
        at=noon,
        out_trade_no=f"UNKNOWN{number:016d}",
        trade_no=f"{day:%Y%m%d}99{number:018d}",
        amount_fen=fen,
        fee_fen=fee_of(fen),
        state="SUCCESS",
        name="不是我们的订单",
        payer="nobody",
        created_at=noon,
    )


def _other_amount(line: Line, fault: Fault) -> list[Line]:
    return [replace(line, amount_fen=int(fault.params.get("amount_fen", line.amount_fen + 1)))]


_CHANGES: Mapping[str, Callable[[Line, Fault], list[Line]]] = {
    "missing_line": lambda line, fault: [],
    "duplicate_line": lambda line, fault: [line, line],
    "wrong_amount": _other_amount,
    "wrong_state": lambda line, fault: [replace(line, state=OTHER_STATES.get(line.kind, "CLOSED"))],
}
