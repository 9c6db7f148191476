"""The archive of a bill: GB18030, names in GBK without a flag, a file of sums before one of details (section 9)."""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sandbox.alipay.wire import stamp
from sandbox.billing.lines import PAYMENT, REFUND, Flow, Line
from sandbox.clock import CHINA

CHARSET = "gb18030"
TRADE, ACCOUNT = "业务", "账务"
RULE = "-" * 41
TRADE_COLUMNS = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,商家实收（元）,"
    "支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,"
    "退款批次号/请求号,服务费（元）,分润（元）,备注"
)
TRADE_SUM_COLUMNS = (
    "门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）,支付宝优惠（元）,商家优惠（元）,卡消费金额（元）,"
    "服务费（元）,分润（元）,实收净额（元）"
)
ACCOUNT_COLUMNS = (
    "账务流水号,业务流水号,商户订单号,商品名称,发生时间,对方账号,收入金额（+元）,支出金额（-元）,账户余额（元）,"
    "交易渠道,业务类型,备注"
)
ACCOUNT_SUM_COLUMNS = "类型,收入笔数,收入金额（+元）,支出笔数,支出金额（-元）,总金额（元）"
OTHER_SIDE = "*某(***)"
WORDS = {PAYMENT: "交易", REFUND: "退款"}


@dataclass(frozen=True)
class Sheet:
    """What every file says of itself."""

    seller_id: str
    day: date
    made_at: float


class Member(zipfile.ZipInfo):
    """A file whose name is in GBK, without the flag that would tell of another charset."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:
        return self.filename.encode(CHARSET), self.flag_bits


def pack(sheet: Sheet, word: str, *, details: str, sums: str) -> bytes:
    """The archive of one bill."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as box:
        for part, text in ((f"{word}明细(汇总)", sums), (f"{word}明细", details)):
            member = Member(f"{account_number(sheet.seller_id)}_{sheet.day:%Y%m%d}_{part}.csv", (1980, 1, 1, 0, 0, 0))
            member.create_system = 0
            box.writestr(member, text.encode(CHARSET), zipfile.ZIP_DEFLATED)
    return made.getvalue()


def account_number(seller_id: str) -> str:
    """The account behind a seller."""
    return f"{seller_id}0156"


def trade_details(sheet: Sheet, lines: Sequence[Line], *, off_by_fen: int = 0) -> str:
    """Every trade and refund of a day; `off_by_fen` makes the sums below wrong."""
    paid, back = ([one.amount_fen for one in lines if one.kind == kind] for kind in (PAYMENT, REFUND))
    trailer = (
        f"#交易合计：{len(paid)}笔，商家实收共{signed(sum(paid) + off_by_fen)}元，商家优惠共0.00元",
        f"#退款合计：{len(back)}笔，商家实收退款共{signed(-sum(back))}元，商家优惠退款共0.00元",
    )
    return _details(sheet, TRADE, [TRADE_COLUMNS, *map(_trade, lines)], trailer)


def account_details(sheet: Sheet, flows: Sequence[Flow], *, off_by_fen: int = 0) -> str:
    """Every movement of a day; `off_by_fen` makes the sums below wrong."""
    went, came = [flow.fen for flow in flows if flow.fen < 0], [flow.fen for flow in flows if flow.fen > 0]
    trailer = (
        f"#支出合计：{len(went)}笔，共{signed(sum(went))}元",
        f"#收入合计：{len(came)}笔，共{signed(sum(came) + off_by_fen)}元",
    )
    return _details(sheet, ACCOUNT, [ACCOUNT_COLUMNS, *map(_movement, flows)], trailer)


def trade_sums(sheet: Sheet, lines: Sequence[Line]) -> str:
    """The sums of a day, as the other file tells them."""
    counts = [sum(one.kind == kind for one in lines) for kind in (PAYMENT, REFUND)]
    moved = sum(one.amount_fen if one.kind == PAYMENT else -one.amount_fen for one in lines)
    fee = -sum(one.fee_fen for one in lines)
    nothing = signed(0)
    row = ["合计", "", *map(str, counts), signed(moved), signed(moved), nothing, nothing, nothing, signed(fee), nothing]
    return _sums(sheet, TRADE, [TRADE_SUM_COLUMNS, ",".join([*row, signed(moved + fee)])])


def account_sums(sheet: Sheet, flows: Sequence[Flow]) -> str:
    """The movements of a day by their kind, as the other file tells them."""
    rows = [ACCOUNT_SUM_COLUMNS]
    for kind in sorted({_business(flow) for flow in flows}):
        moved = [flow.fen for flow in flows if _business(flow) == kind]
        came, went = [fen for fen in moved if fen > 0], [fen for fen in moved if fen < 0]
        told = [kind, str(len(came)), signed(sum(came)), str(len(went)), signed(sum(went)), signed(sum(moved))]
        rows.append(",".join(told))
    return _sums(sheet, ACCOUNT, rows)


def signed(fen: int) -> str:
    """Yuan with two decimals."""
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def _head(sheet: Sheet, title: str) -> list[str]:
    first, last = (f"{one:%Y年%m月%d日} 00:00:00" for one in (sheet.day, sheet.day + timedelta(days=1)))
    account = account_number(sheet.seller_id)
    return [f"#支付宝{title}查询", f"#账号：[{account}]", f"#起始日期：[{first}]   终止日期：[{last}]"]


def _details(sheet: Sheet, word: str, rows: Sequence[str], trailer: Sequence[str]) -> str:
    begins, ends = f"#{RULE}{word}明细列表{RULE[1:]}", f"#{RULE}{word}明细列表结束{RULE[5:]}"
    lines = [*_head(sheet, f"{word}明细"), begins, *rows, ends, *trailer, _made_at(sheet)]
    return "".join(f"{line}\n" for line in lines)


def _sums(sheet: Sheet, word: str, rows: Sequence[str]) -> str:
    begins, ends = f"#{RULE}{word}汇总列表{RULE[1:]}", f"#{RULE}{word}汇总列表结束{RULE[5:]}"
    lines = [*_head(sheet, f"{word}汇总"), begins, *rows, ends, _made_at(sheet)]
    return "".join(f"{line}\n" for line in lines)


def _made_at(sheet: Sheet) -> str:
    return f"#导出时间：[{datetime.fromtimestamp(sheet.made_at, CHINA):%Y年%m月%d日 %H:%M:%S}]"


def _trade(line: Line) -> str:
    amount = signed(-line.amount_fen if line.kind == REFUND else line.amount_fen)
    nothing = signed(0)
    cells = [
        *(_text(value) for value in (line.trade_no, line.out_trade_no, WORDS[line.kind])),
        *(_clean(line.name), stamp(line.created_at), stamp(line.at)),
        *(_text(value) for value in ("", "", "", "", OTHER_SIDE)),
        *(amount, amount, nothing, nothing, nothing, nothing, nothing, "", _text(nothing), nothing),
        *(_text(line.out_refund_no or ""), signed(-line.fee_fen), nothing, _clean(line.remark)),
    ]
    return ",".join(cells)


def _movement(flow: Flow) -> str:
    line = flow.line
    came, went = (flow.fen, 0) if flow.fen > 0 else (0, flow.fen)
    cells = [
        *(_text(value) for value in (flow.number, line.trade_no, line.out_trade_no)),
        *(_clean(line.name), stamp(line.at), _text(OTHER_SIDE), signed(came), signed(went), signed(flow.balance_fen)),
        *(_text("支付宝"), _text(_business(flow)), _clean(line.remark)),
    ]
    return ",".join(cells)


def _business(flow: Flow) -> str:
    if flow.is_fee:
        return "退费" if flow.fen > 0 else "收费"
    return "在线支付" if flow.line.kind == PAYMENT else "交易退款"


def _text(value: str) -> str:
    """A text ends in a TAB, so that no table program makes a number of it."""
    return f"{_clean(value)}\t"


def _clean(text: str) -> str:
    """What would end a line does not stand in one; commas stay as they are."""
    return "".join(" " if letter in "\t\r\n" else letter for letter in text)
