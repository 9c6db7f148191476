"""The paths of api.mch.weixin.qq.com under `/wechat-pay`."""

from flask import Blueprint, Response, request

from sandbox.context import this_sandbox
from sandbox.exchange import read_object, text_or_none
from sandbox.faults import BILL_FILE, CERTIFICATES_TARGET, FLOW_BILL, TRADE_BILL
from sandbox.wechat_pay import billing, console, refunds, trades
from sandbox.wechat_pay.exchange import FileExchange, PayExchange
from sandbox.wechat_pay.fields import CLOSE, ORDER, REFUND, read_body

pay = Blueprint("wechat_pay", __name__, url_prefix="/wechat-pay")


def _facts(*names: str) -> dict[str, str | None]:
    body = read_object(request.get_data())
    return {name: text_or_none(body.get(name)) for name in names}


@pay.post("/v3/pay/transactions/jsapi")
def create_order() -> Response:
    """Place an order."""
    sandbox, facts = this_sandbox(), _facts("out_trade_no")
    exchange = PayExchange(sandbox, "pay.create", facts["out_trade_no"], facts)
    return exchange.serve(lambda merchant: trades.create(sandbox, merchant, read_body(request.get_data(), ORDER)))


@pay.get("/v3/pay/transactions/out-trade-no/<out_trade_no>")
def query_by_number(out_trade_no: str) -> Response:
    """Ask for an order by the merchant's number."""
    sandbox = this_sandbox()
    exchange = PayExchange(sandbox, "pay.query", out_trade_no, {"out_trade_no": out_trade_no})
    return exchange.serve(
        lambda merchant: trades.query(sandbox, merchant, request.args.get("mchid"), out_trade_no=out_trade_no)
    )


@pay.get("/v3/pay/transactions/id/<transaction_id>")
def query_by_id(transaction_id: str) -> Response:
    """Ask for an order by the platform's number."""
    sandbox = this_sandbox()
    exchange = PayExchange(sandbox, "pay.query", transaction_id, {"transaction_id": transaction_id})
    return exchange.serve(
        lambda merchant: trades.query(sandbox, merchant, request.args.get("mchid"), transaction_id=transaction_id)
    )


@pay.post("/v3/pay/transactions/out-trade-no/<out_trade_no>/close")
def close_order(out_trade_no: str) -> Response:
    """Close an unpaid order."""
    sandbox = this_sandbox()
    exchange = PayExchange(sandbox, "pay.close", out_trade_no, {"out_trade_no": out_trade_no})
    return exchange.serve(
        lambda merchant: trades.close(sandbox, merchant, out_trade_no, read_body(request.get_data(), CLOSE))
    )


@pay.get("/v3/certificates")
def certificates() -> Response:
    """The certificates that the platform signs with for this merchant."""
    sandbox = this_sandbox()
    exchange = PayExchange(sandbox, CERTIFICATES_TARGET, None, {})
    return exchange.serve(lambda merchant: console.sealed_certificates(sandbox, merchant))


@pay.post("/v3/refund/domestic/refunds")
def create_refund() -> Response:
    """Ask for a refund."""
    sandbox, facts = this_sandbox(), _facts("out_trade_no", "out_refund_no", "transaction_id")
    exchange = PayExchange(sandbox, "refund.create", facts["out_refund_no"], facts)
    return exchange.serve(lambda merchant: refunds.create(sandbox, merchant, read_body(request.get_data(), REFUND)))


@pay.get("/v3/refund/domestic/refunds/<out_refund_no>")
def query_refund(out_refund_no: str) -> Response:
    """Ask for a refund."""
    sandbox = this_sandbox()
    exchange = PayExchange(sandbox, "refund.query", out_refund_no, {"out_refund_no": out_refund_no})
    return exchange.serve(lambda merchant: refunds.query(sandbox, merchant, out_refund_no))


@pay.get("/v3/bill/tradebill")
def trade_bill() -> Response:
    """Ask for the trades of a day."""
    sandbox, query, root = this_sandbox(), request.args, request.host_url.rstrip("/")
    exchange = PayExchange(sandbox, TRADE_BILL, query.get("bill_date"), {"bill_date": query.get("bill_date")})
    return exchange.serve(lambda merchant: billing.trades_of_day(sandbox, merchant, query, root))


@pay.get("/v3/bill/fundflowbill")
def flow_bill() -> Response:
    """Ask for the flow of money of a day."""
    sandbox, query, root = this_sandbox(), request.args, request.host_url.rstrip("/")
    exchange = PayExchange(sandbox, FLOW_BILL, query.get("bill_date"), {"bill_date": query.get("bill_date")})
    return exchange.serve(lambda merchant: billing.flow_of_day(sandbox, merchant, query, root))


@pay.get("/v3/billdownload/file")
def bill_file() -> Response:
    """Fetch a bill that was asked for."""
    sandbox, token = this_sandbox(), request.args.get("token", "")
    exchange = FileExchange(sandbox, BILL_FILE, None, {})
    return exchange.serve(lambda merchant: billing.fetch(sandbox, merchant, token))
