"""Bills of WeChat Pay as they are asked for and fetched: the wire around a file, and a flow of money to begin with."""

from __future__ import annotations

import gzip
import hashlib
from typing import Any

import responses
from wechat_pay_side import PAY_URL

FILE = "/v3/billdownload/file?token=abc%2Bd"
FUND_HEADER = (
    "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),"
    "资金变更提交申请人,备注,业务凭证号"
)
CAME = "`2026-11-19 10:00:00,`4200001,`F1,`交易,`交易,`收入,`15.00,`15.00,`system,`,`YZ1"
FEE = "`2026-11-19 10:00:00,`4200001,`F2,`扣除交易手续费,`扣除交易手续费,`支出,`0.09,`14.91,`system,`,`YZ1"
WENT = "`2026-11-19 11:00:00,`5030001,`F3,`退款,`退款,`支出,`5.00,`9.91,`u,`a,b `c`,`YZR1"
TAKEN = "`2026-11-19 12:00:00,`9,`F4,`提现,`提现,`支出,`10.00,`-0.09,`u,`,`9"
FUND_SUMMARY = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额"
FUND_SUMS = "`4.0,`1.0,`15.00,`3.0,`15.09"


def bill(*lines: str) -> bytes:
    return b"\xef\xbb\xbf" + "".join(f"{line}\r\n" for line in lines).encode()


GOOD_FUNDS = bill(FUND_HEADER, CAME, FEE, WENT, TAKEN, FUND_SUMMARY, FUND_SUMS)


def told(content: bytes, **changes: str) -> dict[str, str]:
    place = {"hash_type": "SHA1", "hash_value": hashlib.sha1(content).hexdigest(), "download_url": PAY_URL + FILE}
    return place | changes


def serve(wire: responses.RequestsMock, wechat_pay: Any, content: bytes, path: str, **changes: str) -> None:
    wechat_pay.answer(wire, "GET", path, told(content, **changes))
    wire.add("GET", PAY_URL + FILE, body=gzip.compress(content))
