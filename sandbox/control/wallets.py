"""Whose number is meant: a payment's number is unique for each merchant of each wallet only."""

from collections.abc import Iterable, Mapping

from sandbox.alipay.keys import Account
from sandbox.context import this_sandbox
from sandbox.control.body import ControlError, Kind
from sandbox.keys import Merchant

Owner = Merchant | Account
#: What a control call may add to a number that several have used; a seller_id of Alipay is an mchid here too.
CHOICE: Mapping[str, Kind] = {"channel": str, "merchant": str, "mchid": str}


def owner_of_order(out_trade_no: str, given: Mapping[str, str]) -> Owner:
    """The merchant whose order is meant. Raises: ControlError 404, 409."""
    rows = this_sandbox().store.all(
        "select mchid from trades where out_trade_no = ? "
        "union all select seller_id from alipay_trades where out_trade_no = ?",
        (out_trade_no, out_trade_no),
    )
    return choose([row[0] for row in rows], given, "order_not_found")


def owner_of_refund(out_refund_no: str, given: Mapping[str, str]) -> Owner:
    """The merchant whose refund is meant. Raises: ControlError 404, 409."""
    rows = this_sandbox().store.all(
        "select mchid from refunds where out_refund_no = ? union all "
        "select seller_id from alipay_refunds join alipay_trades using (trade_no) where out_request_no = ?",
        (out_refund_no, out_refund_no),
    )
    return choose([row[0] for row in rows], given, "refund_not_found")


def choose(numbers: Iterable[str], given: Mapping[str, str], absent: str) -> Owner:
    """The one owner among these merchant numbers that fits. Raises: ControlError 404, 409."""
    sandbox, numbers = this_sandbox(), set(numbers)
    owners: list[tuple[str, str, Owner]] = [
        *(("wechat_pay", merchant.number, merchant) for merchant in sandbox.keys.merchants),
        *(("alipay", account.seller_id, account) for account in sandbox.accounts.items),
    ]
    fitting = [
        owner
        for channel, number, owner in owners
        if number in numbers
        and number == given.get("mchid", number)
        and channel == given.get("channel", channel)
        and owner.name == given.get("merchant", owner.name)
    ]
    if not fitting:
        raise ControlError(404, absent)
    if len(fitting) > 1:
        message = "several merchants used this number: name one in `merchant`, and its wallet in `channel`"
        raise ControlError(409, "merchant_needed", message)
    return fitting[0]
