"""A day's lines as the columns of WeChat Pay's bills (protocol section 4.9)."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sandbox.billing.lines import PAYMENT, REFUND, Flow, Line
from sandbox.clock import CHINA
from sandbox.keys import Merchant
from sandbox.wechat_pay.bills import Bill
from sandbox.wechat_pay.trades import PURSE

ALL, SUCCESS = "ALL", "SUCCESS"
TYPES = (ALL, SUCCESS, "REFUND")
REFUND_COLUMNS = frozenset(
    {"微信退款单号", "商户退款单号", "退款金额", "充值券退款金额", "退款类型", "退款状态", "申请退款金额"}
)
#: What moved the account, as the flow calls it, and the fee that went with it.
BUSINESS = {
    "payment": ("交易", "扣除交易手续费"),
    "refund": ("退款", "退还交易手续费"),
    "closing": ("退款退回", "扣除交易手续费"),
}


def trade_bill(merchant: Merchant, lines: Sequence[Line], kind: str, *, off_by_fen: int = 0) -> Bill:
    """The file of one type; `off_by_fen` makes its summary wrong."""
    rows = [_narrowed(_row(merchant, line, kind), kind) for line in lines]
    paid = sum(line.amount_fen for line in lines if line.kind == PAYMENT)
    back = sum(line.amount_fen for line in lines if line.kind == REFUND)
    summary = {
        "总交易单数": f"{len(lines)}.0",
        "应结订单总金额": _sum(paid),
        "退款总金额": _sum(back),
        "充值券退款总金额": _sum(0),
        "手续费总金额": _sum(sum(line.fee_fen for line in lines)),
        "订单总金额": _sum(paid + off_by_fen),
        "申请退款总金额": _sum(back),
    }
    kept = {name: text for name, text in summary.items() if kind != SUCCESS or "退款" not in name}
    return Bill(rows, kept)


def flow_bill(flows: Sequence[Flow], *, off_by_fen: int = 0) -> Bill:
    """The file of an account's flow; `off_by_fen` makes its summary wrong."""
    incomes = [flow.fen for flow in flows if flow.fen > 0]
    expenses = [-flow.fen for flow in flows if flow.fen < 0]
    summary = {
        "资金流水总笔数": f"{len(flows)}.0",
        "收入笔数": f"{len(incomes)}.0",
        "收入金额": _sum(sum(incomes) + off_by_fen),
        "支出笔数": f"{len(expenses)}.0",
        "支出金额": _sum(sum(expenses)),
    }
    return Bill([_flow_row(flow) for flow in flows], summary)


def _row(merchant: Merchant, line: Line, kind: str) -> dict[str, str]:
    is_refund = line.kind == REFUND
    paid, back = (0, line.amount_fen) if is_refund else (line.amount_fen, 0)
    times = {"退款申请时间": _stamp(line.at), "退款成功时间": "" if line.done_at is None else _stamp(line.done_at)}
    return {
        "交易时间": _stamp(line.at),
        "公众账号ID": line.app,
        "商户号": merchant.mchid,
        "特约商户号": merchant.sub_mchid or "0",
        "设备号": _clean(line.device),
        "微信订单号": line.trade_no,
        "商户订单号": line.out_trade_no,
        "用户标识": _clean(line.payer),
        "交易类型": line.way or "JSAPI",
        "交易状态": "REFUND" if is_refund else line.state,
        "付款银行": line.bank or PURSE,
        "货币种类": "CNY",
        "应结订单金额": _yuan(paid),
        "代金券金额": _yuan(0),
        **(times if kind == "REFUND" else {}),
        "微信退款单号": line.refund_no or "0",
        "商户退款单号": line.out_refund_no or "0",
        "退款金额": _yuan(back),
        "充值券退款金额": _yuan(0),
        "退款类型": "ORIGINAL" if is_refund else "",
        "退款状态": line.state if is_refund else "",
        "商品名称": _clean(line.name),
        "商户数据包": _clean(line.remark),
        "手续费": f"{_yuan(line.fee_fen)}000",
        "费率": "0.60%",
        "订单金额": _yuan(paid),
        "申请退款金额": _yuan(back),
        "费率备注": "",
    }


def _narrowed(row: Mapping[str, str], kind: str) -> dict[str, str]:
    return {name: text for name, text in row.items() if kind != SUCCESS or name not in REFUND_COLUMNS}


def _flow_row(flow: Flow) -> dict[str, str]:
    line = flow.line
    name = BUSINESS[line.kind][flow.is_fee]
    return {
        "记账时间": _stamp(line.at),
        "微信支付业务单号": line.business_no,
        "资金流水单号": flow.number,
        "业务名称": name,
        "业务类型": name,
        "收支类型": "收入" if flow.fen > 0 else "支出",
        "收支金额(元)": _yuan(abs(flow.fen)),
        "账户结余(元)": _yuan(flow.balance_fen),
        "资金变更提交申请人": "system",
        "备注": _clean(line.remark) if line.kind == REFUND else "",
        "业务凭证号": line.out_refund_no or line.out_trade_no,
    }


def _stamp(instant: float) -> str:
    return datetime.fromtimestamp(int(instant), CHINA).strftime("%Y-%m-%d %H:%M:%S")


def _yuan(fen: int) -> str:
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def _sum(fen: int) -> str:
    """As the summary prints it: no more decimals than are needed, and one at least."""
    text = _yuan(fen).rstrip("0")
    return f"{text}0" if text.endswith(".") else text


def _clean(text: str) -> str:
    """What would end a value or a line does not stand in one."""
    return "".join(" " if letter in "\t\r\n" else letter for letter in text if letter != "`")
