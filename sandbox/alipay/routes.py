"""The one path of openapi.alipay.com under `/alipay`, the services behind it, and the place of the bills' files."""

from collections.abc import Mapping

from flask import Blueprint, Response, request

from sandbox.alipay import billing, certificate, certify, login, refunds, trades, wap
from sandbox.alipay.billing import BillFile
from sandbox.alipay.exchange import GatewayExchange, Method, PageExchange
from sandbox.alipay.request import read_request
from sandbox.context import this_sandbox

gateway = Blueprint("alipay", __name__, url_prefix="/alipay")
bill_files = Blueprint("alipay_bills", __name__, url_prefix=billing.PREFIX)

METHODS: Mapping[str, Method] = {
    "alipay.system.oauth.token": Method("alipay.login", "code", login.token),
    "alipay.user.info.share": Method("alipay.user", "", login.share),
    "alipay.user.certify.open.initialize": Method("alipay.face.start", "outer_order_no", certify.initialize),
    "alipay.user.certify.open.query": Method("alipay.face.query", "certify_id", certify.query),
    "alipay.trade.create": Method("alipay.pay.create", "out_trade_no", trades.create),
    "alipay.trade.query": Method("alipay.pay.query", "out_trade_no", trades.query),
    "alipay.trade.close": Method("alipay.pay.close", "out_trade_no", trades.close),
    "alipay.trade.refund": Method("alipay.refund.create", "out_request_no", refunds.create),
    "alipay.trade.fastpay.refund.query": Method("alipay.refund.query", "out_request_no", refunds.query),
    "alipay.data.dataservice.bill.downloadurl.query": Method("alipay.bill.query", "bill_date", billing.ask),
    "alipay.open.app.alipaycert.download": Method("alipay.certificate", "alipay_cert_sn", certificate.download),
}
PAGES: Mapping[str, Method] = {
    "alipay.user.certify.open.certify": Method("alipay.face.page", "certify_id", certify.open_page),
    "alipay.trade.wap.pay": Method("alipay.pay.page", "out_trade_no", wap.open_page),
}


@gateway.route("/gateway.do", methods=["GET", "POST"])
def gateway_do() -> Response:
    """Every service, by GET or POST, with its parameters in the query, in a form, or in both."""
    given = read_request(request.environ["QUERY_STRING"], request.get_data(), request.mimetype)
    name = given.get("method")
    if name in PAGES:
        return PageExchange(this_sandbox(), given, PAGES[name]).run()
    return GatewayExchange(this_sandbox(), given, METHODS.get(name)).run()


@bill_files.get(billing.PATH)
def bill_file() -> Response:
    """The archive of a bill, by its address alone."""
    return BillFile(this_sandbox()).run()
