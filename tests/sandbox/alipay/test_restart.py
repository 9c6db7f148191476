"""What was answered has been written: a sandbox goes on where it was stopped (row F-42)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sandbox.app import Running
from sandbox.testing import eventually, running_sandbox


def test_everything_outlives_a_restart(data_dir: Path, open_wallet: Callable[[Running], Any]) -> None:
    with running_sandbox(data_dir, time_scale=1) as running:
        wallet = open_wallet(running)
        wallet.receiver.respond = lambda _: (200, b"fail")
        unpaid, number = wallet.placed(), wallet.paid()
        eventually(lambda: wallet.control.items("/notices", out_trade_no=number)[0]["attempts"])
        wallet.fault("alipay.refund.create", "processing", times=1)
        wallet.demo.refund(number, "R1", "5.00")
        certify_id = wallet.demo.initialize().node["certify_id"]
        code = wallet.control.post("/login-codes", provider="alipay_miniapp", open_id="two")["code"]
        grant = {"grant_type": "authorization_code", "code": code}
        assert wallet.demo.call("alipay.system.oauth.token", None, **grant).sub_code is None
        wallet.control.post("/alipay/id-mode", id_mode="user_id")
        wallet.control.post("/alipay/rotate-certificate", merchant="gulou")
        ledger = wallet.control.items("/ledger")
        rows = [{**row, "gateway": "", "bill_url": ""} for row in wallet.control.get("/credentials")["alipay"]]
    with running_sandbox(data_dir, time_scale=1) as running:
        wallet = open_wallet(running)
        assert wallet.control.items("/ledger") == ledger
        assert [{**row, "gateway": "", "bill_url": ""} for row in wallet.control.get("/credentials")["alipay"]] == rows
        assert wallet.state(unpaid) == "WAIT_BUYER_PAY"
        assert wallet.demo.call("alipay.system.oauth.token", None, **grant).sub_code == "isv.code-invalid"
        assert wallet.demo.refund(number, "R1", "5.00").node["fund_change"] == "N"
        assert wallet.control.post(f"/identity/{certify_id}/pass")["passed"] == "T"
        wallet.control.post("/clock", advance_seconds=4 * 60)
        assert [attempt["answer"] for attempt in wallet.notice(number)["attempts"]] == ["fail", "success"]
