"""The paths of api.mch.weixin.qq.com under `/wechat-pay`."""

from collections.abc import Mapping

from flask import Blueprint, Response, request

from sandbox.context import this_sandbox
from sandbox.exchange import read_object, text_or_none
from sandbox.faults import ABNORMAL_TARGET, BILL_FILE, CERTIFICATES_TARGET, FLOW_BILL, TRADE_BILL
from sandbox.wechat_pay import abnormal, billing, console, refunds, trades
from sandbox.wechat_pay.exchange import FileExchange, PayExchange
from sandbox.wechat_pay.fields import (
    ABNORMAL,
    CLOSE,
    H5_ORDER,
    ORDER,
    PARTNER_CLOSE,
    PARTNER_H5_ORDER,
    PARTNER_ORDER,
    REFUND,
    read_body,
)
from sandbox.wechat_pay.parties import Party

DIRECT, PARTNER = "/v3/pay/transactions", "/v3/pay/partner/transactions"
ORDERS = {Party.DIRECT: ORDER, Party.PARTNER: PARTNER_ORDER}
H5_ORDERS = {Party.DIRECT: H5_ORDER, Party.PARTNER: PARTNER_H5_ORDER}
CLOSINGS = {Party.DIRECT: CLOSE, Party.PARTNER: PARTNER_CLOSE}

pay = Blueprint("wechat_pay", __name__, url_prefix="/wechat-pay")


def _facts(*names: str) -> dict[str, str | None]:
    body = read_object(request.get_data())
    return {name: text_or_none(body.get(name)) for name in names}


def _sub(query: Mapping[str, str]) -> dict[str, str | None]:
    return {"sub_mchid": query.get("sub_mchid")}


def _bill_exchange(target: str, query: Mapping[str, str], party: Party) -> PayExchange:
    day = query.get("bill_date")
    return PayExchange(this_sandbox(), target, day, {"bill_date": day, **_sub(query)}, party)


@pay.post(f"{DIRECT}/jsapi", defaults={"party": Party.DIRECT})
@pay.post(f"{PARTNER}/jsapi", defaults={"party": Party.PARTNER})
def create_order(party: Party) -> Response:
    """Place an order."""
    sandbox, facts, shape = this_sandbox(), _facts("out_trade_no", "sub_mchid"), ORDERS[party]
    exchange = PayExchange(sandbox, "pay.create", facts["out_trade_no"], facts, party)
    return exchange.serve(lambda merchant: trades.create(sandbox, merchant, read_body(request.get_data(), shape)))


@pay.post(f"{DIRECT}/h5", defaults={"party": Party.DIRECT})
@pay.post(f"{PARTNER}/h5", defaults={"party": Party.PARTNER})
def create_h5_order(party: Party) -> Response:
    """Place an order that a browser will pay."""
    sandbox, facts, root = this_sandbox(), _facts("out_trade_no", "sub_mchid"), request.host_url.rstrip("/")
    exchange = PayExchange(sandbox, "pay.create", facts["out_trade_no"], facts, party)
    shape = H5_ORDERS[party]
    return exchange.serve(
        lambda merchant: trades.create_h5(sandbox, merchant, read_body(request.get_data(), shape), root)
    )


@pay.get(f"{DIRECT}/out-trade-no/<out_trade_no>", defaults={"party": Party.DIRECT})
@pay.get(f"{PARTNER}/out-trade-no/<out_trade_no>", defaults={"party": Party.PARTNER})
def query_by_number(party: Party, out_trade_no: str) -> Response:
    """Ask for an order by the merchant's number."""
    sandbox, args = this_sandbox(), request.args
    exchange = PayExchange(sandbox, "pay.query", out_trade_no, {"out_trade_no": out_trade_no, **_sub(args)}, party)
    return exchange.serve(lambda merchant: trades.query(sandbox, merchant, args, out_trade_no=out_trade_no))


@pay.get(f"{DIRECT}/id/<transaction_id>", defaults={"party": Party.DIRECT})
@pay.get(f"{PARTNER}/id/<transaction_id>", defaults={"party": Party.PARTNER})
def query_by_id(party: Party, transaction_id: str) -> Response:
    """Ask for an order by the platform's number."""
    sandbox, args = this_sandbox(), request.args
    facts = {"transaction_id": transaction_id, **_sub(args)}
    exchange = PayExchange(sandbox, "pay.query", transaction_id, facts, party)
    return exchange.serve(lambda merchant: trades.query(sandbox, merchant, args, transaction_id=transaction_id))


@pay.post(f"{DIRECT}/out-trade-no/<out_trade_no>/close", defaults={"party": Party.DIRECT})
@pay.post(f"{PARTNER}/out-trade-no/<out_trade_no>/close", defaults={"party": Party.PARTNER})
def close_order(party: Party, out_trade_no: str) -> Response:
    """Close an unpaid order."""
    sandbox, shape = this_sandbox(), CLOSINGS[party]
    facts = {"out_trade_no": out_trade_no, **_facts("sub_mchid")}
    exchange = PayExchange(sandbox, "pay.close", out_trade_no, facts, party)
    return exchange.serve(
        lambda merchant: trades.close(sandbox, merchant, out_trade_no, read_body(request.get_data(), shape))
    )


@pay.get("/v3/certificates")
def certificates() -> Response:
    """The certificates that the platform signs with for this merchant."""
    sandbox = this_sandbox()
    exchange = PayExchange(sandbox, CERTIFICATES_TARGET, None, {}, Party.SIGNER)
    return exchange.serve(lambda merchant: console.sealed_certificates(sandbox, merchant))


@pay.post("/v3/refund/domestic/refunds")
def create_refund() -> Response:
    """Ask for a refund."""
    sandbox, facts = this_sandbox(), _facts("out_trade_no", "out_refund_no", "transaction_id", "sub_mchid")
    exchange = PayExchange(sandbox, "refund.create", facts["out_refund_no"], facts)
    return exchange.serve(lambda merchant: refunds.create(sandbox, merchant, read_body(request.get_data(), REFUND)))


@pay.get("/v3/refund/domestic/refunds/<out_refund_no>")
def query_refund(out_refund_no: str) -> Response:
    """Ask for a refund."""
    sandbox, facts = this_sandbox(), {"out_refund_no": out_refund_no, **_sub(request.args)}
    exchange = PayExchange(sandbox, "refund.query", out_refund_no, facts)
    return exchange.serve(lambda merchant: refunds.query(sandbox, merchant, out_refund_no))


@pay.post("/v3/refund/domestic/refunds/<refund_id>/apply-abnormal-refund")
def send_elsewhere(refund_id: str) -> Response:
    """Ask for a refund that did not arrive to be sent elsewhere."""
    sandbox, facts, serial = (
        this_sandbox(),
        _facts("out_refund_no", "sub_mchid"),
        request.headers.get("Wechatpay-Serial"),
    )
    exchange = PayExchange(sandbox, ABNORMAL_TARGET, facts["out_refund_no"], facts)
    return exchange.serve(
        lambda merchant: abnormal.apply(sandbox, merchant, refund_id, read_body(request.get_data(), ABNORMAL), serial)
    )


@pay.get("/v3/bill/tradebill")
def trade_bill() -> Response:
    """Ask for the trades of a day."""
    sandbox, query, root = this_sandbox(), request.args, request.host_url.rstrip("/")
    exchange = _bill_exchange(TRADE_BILL, query, Party.EITHER)
    return exchange.serve(lambda merchant: billing.trades_of_day(sandbox, merchant, query, root))


@pay.get("/v3/bill/fundflowbill")
def flow_bill() -> Response:
    """Ask for the flow of money of a day."""
    sandbox, query, root = this_sandbox(), request.args, request.host_url.rstrip("/")
    exchange = _bill_exchange(FLOW_BILL, query, Party.DIRECT)
    return exchange.serve(lambda merchant: billing.flow_of_day(sandbox, merchant, query, root))


@pay.get("/v3/bill/sub-merchant-fundflowbill")
def sub_flow_bill() -> Response:
    """Ask for the flow of a sub-merchant's money, sealed."""
    sandbox, query, root = this_sandbox(), request.args, request.host_url.rstrip("/")
    exchange = _bill_exchange(FLOW_BILL, query, Party.PARTNER)
    return exchange.serve(lambda merchant: billing.sealed_flow_of_day(sandbox, merchant, query, root))


@pay.get("/v3/billdownload/file")
def bill_file() -> Response:
    """Fetch a bill that was asked for."""
    sandbox, token = this_sandbox(), request.args.get("token", "")
    exchange = FileExchange(sandbox, BILL_FILE, None, {}, Party.SIGNER)
    return exchange.serve(lambda merchant: billing.fetch(sandbox, merchant, token))
