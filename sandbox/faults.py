"""Scripted faults: what shall go wrong, where, how often, for whom. Taking one is part of the transaction it spoils."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.store import Row, Tx

TRANSPORT_KINDS = frozenset(
    {"delay", "drop_before", "drop_after", "error", "error_after", "rate_limited", "garbled", "cut", "slow_body"}
)
SIGNATURE_KINDS = frozenset({"bad_signature", "signtest", "unsigned", "stale", "unknown_serial", "forged", "untyped"})
OUTCOME_KINDS = frozenset({"abnormal", "closed", "not_enough", "account_abnormal", "processing"})
TIMING_KINDS = frozenset({"drop", "duplicate", "reorder", "late"})
REFUND_CONTENT_KINDS = frozenset({"wrong_amount", "wrong_merchant", "other_merchant", "unknown_number"})
CONTENT_KINDS = REFUND_CONTENT_KINDS | {"wrong_currency", "wrong_app"}

#: Alipay has no stamp to be stale and no probe; its notices name an app and a seller.
ALIPAY_SIGNATURE_KINDS = SIGNATURE_KINDS - {"stale", "signtest", "untyped"}
ALIPAY_CALL_KINDS = TRANSPORT_KINDS | ALIPAY_SIGNATURE_KINDS | {"unsigned_error", "brace"}
ALIPAY_OUTCOME_KINDS = frozenset({"not_enough", "account_abnormal", "processing"})
ALIPAY_CONTENT_KINDS = REFUND_CONTENT_KINDS | {"wrong_app", "wrong_seller"}
ALIPAY_NOTICE_KINDS = TIMING_KINDS | ALIPAY_CONTENT_KINDS | (ALIPAY_SIGNATURE_KINDS - {"unknown_serial"})
#: What a bill can be spoilt with beside the call that asks for it; several at once.
BILL_LINE_KINDS = frozenset({"extra_line", "missing_line", "duplicate_line", "wrong_amount", "wrong_state"})
BILL_KINDS = BILL_LINE_KINDS | {"not_ready", "empty_day", "cut_short", "wrong_sum", "wrong_digest"}
FALSE_KINDS = CONTENT_KINDS | ALIPAY_CONTENT_KINDS

ABNORMAL_TARGET = "refund.abnormal"
PAY_TARGETS = ("pay.create", "pay.query", "pay.close", "refund.create", "refund.query")
CERTIFICATES_TARGET = "pay.certificates"
TRADE_BILL, FLOW_BILL, BILL_FILE = "bill.trade", "bill.flow", "bill.file"
ALIPAY_BILLS, ALIPAY_BILL_FILE = {"trade": "alipay.bill.trade", "signcustomer": "alipay.bill.flow"}, "alipay.bill.file"
ERRCODE_TARGETS = (
    *("login", "token", "face.start", "face.query", "phone"),
    *("menu", "qrcode", "ticket", "oauth", "user", "urllink"),
    *("shipping.report", "shipping.query", "shipping.managed"),
)
SMS_TARGETS = ("sms.aliyun", "sms.tencent")
REALNAME_TARGETS = ("realname.aliyun", "realname.tencent")
HOSPITAL_TARGETS = tuple(
    f"hospital.{verb}" for verb in ("find", "create", "hold", "confirm", "release", "ask", "half_days", "visits")
)
HOSPITAL_KINDS = TRANSPORT_KINDS | {"bad_signature", "unsigned", "stale", "other_nonce", "refuse"}
ALIPAY_TARGETS = (
    *(f"alipay.{target}" for target in ("login", "user", "face.start", "face.query", "certificate")),
    *(f"alipay.{target}" for target in PAY_TARGETS),
)
KINDS: Mapping[str, frozenset[str]] = {
    **dict.fromkeys((*ERRCODE_TARGETS, *SMS_TARGETS, *REALNAME_TARGETS), TRANSPORT_KINDS),
    **dict.fromkeys(HOSPITAL_TARGETS, HOSPITAL_KINDS),
    **dict.fromkeys(PAY_TARGETS, TRANSPORT_KINDS | SIGNATURE_KINDS),
    CERTIFICATES_TARGET: TRANSPORT_KINDS | SIGNATURE_KINDS,
    "refund.create": TRANSPORT_KINDS | SIGNATURE_KINDS | OUTCOME_KINDS,
    ABNORMAL_TARGET: TRANSPORT_KINDS | SIGNATURE_KINDS | (OUTCOME_KINDS - {"closed"}),
    TRADE_BILL: TRANSPORT_KINDS | SIGNATURE_KINDS | BILL_KINDS,
    FLOW_BILL: TRANSPORT_KINDS | SIGNATURE_KINDS | (BILL_KINDS - {"wrong_state"}),
    BILL_FILE: TRANSPORT_KINDS,
    "notice.payment": TIMING_KINDS | SIGNATURE_KINDS | CONTENT_KINDS,
    "notice.refund": TIMING_KINDS | SIGNATURE_KINDS | REFUND_CONTENT_KINDS,
    **dict.fromkeys(ALIPAY_TARGETS, ALIPAY_CALL_KINDS),
    **dict.fromkeys(("alipay.face.page", "alipay.pay.page"), TRANSPORT_KINDS),
    "alipay.bill.query": ALIPAY_CALL_KINDS,
    # They show no state, and nothing tells their digest.
    **dict.fromkeys(ALIPAY_BILLS.values(), BILL_KINDS - {"wrong_state", "wrong_digest"}),
    ALIPAY_BILL_FILE: TRANSPORT_KINDS,
    "alipay.refund.create": ALIPAY_CALL_KINDS | ALIPAY_OUTCOME_KINDS,
    **dict.fromkeys(("alipay.notice.payment", "alipay.notice.refund"), ALIPAY_NOTICE_KINDS),
}


@dataclass(frozen=True)
class Fault:
    """One fault as it is applied: its kind and the figures that came with it."""

    kind: str
    params: Mapping[str, Any]

    def seconds(self, default: float) -> float:
        """The time this fault speaks of."""
        return float(self.params.get("seconds", default))

    def dump(self) -> str:
        """As text, to be kept beside a notice."""
        return json.dumps({"kind": self.kind, **self.params})


def load_fault(text: str | None) -> Fault | None:
    """Read back what `Fault.dump` wrote."""
    if text is None:
        return None
    params = json.loads(text)
    return Fault(params.pop("kind"), params)


def script(
    tx: Tx, target: str, kind: str, *, times: int | None, match: Mapping[str, str], params: Mapping[str, Any]
) -> int:
    """Keep a rule; rules of one target are tried in the order they were made."""
    added = tx.execute(
        "insert into faults (target, kind, params, match, remaining) values (?, ?, ?, ?, ?)",
        (target, kind, json.dumps(params), json.dumps(match), times),
    )
    return int(added.lastrowid or 0)


def take(tx: Tx, target: str, facts: Mapping[str, str | None], kinds: frozenset[str]) -> Fault | None:
    """Use up one turn of the first rule that fits, or None."""
    for rule in live(tx, target, kinds):
        if all(facts.get(name) == value for name, value in match_of(rule).items()):
            use(tx, rule)
            return load_rule(rule)
    return None


def live(tx: Tx, target: str, kinds: frozenset[str]) -> list[Row]:
    """The rules of a target that have turns left, in the order they were made."""
    rules = tx.execute(
        "select * from faults where target = ? and (remaining is null or remaining > 0) order by id", (target,)
    )
    return [rule for rule in rules if rule["kind"] in kinds]


def use(tx: Tx, rule: Row) -> None:
    """Use up one turn of a rule."""
    tx.execute("update faults set remaining = remaining - 1, taken = taken + 1 where id = ?", (rule["id"],))


def match_of(rule: Row) -> dict[str, str]:
    """What a rule is about."""
    match: dict[str, str] = json.loads(rule["match"])
    return match


def load_rule(rule: Row) -> Fault:
    """The fault that a rule orders."""
    return Fault(rule["kind"], json.loads(rule["params"]))


def describe(rule: Row) -> dict[str, Any]:
    """A rule as `/control/faults` shows it."""
    return {
        "id": rule["id"],
        "target": rule["target"],
        "kind": rule["kind"],
        "times": rule["remaining"],
        "taken": rule["taken"],
        "match": json.loads(rule["match"]),
        **json.loads(rule["params"]),
    }
