"""`alipay.open.app.alipaycert.download`: a certificate that an answer has named (protocol section 3.2)."""

import base64
from typing import Any

from sandbox.alipay.call import Call
from sandbox.alipay.console import certificate_named
from sandbox.alipay.errors import INVALID, MISSING, GatewayError, success
from sandbox.context import Sandbox


def download(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """The file of a certificate, with its issuer below it, base64. Raises: GatewayError."""
    cert_sn = call.text("alipay_cert_sn")
    if cert_sn is None:
        raise GatewayError(MISSING, "isv.missing-parameter", "缺少参数: alipay_cert_sn")
    cert = certificate_named(sandbox, call.account, cert_sn)
    if cert is None:
        raise GatewayError(INVALID, "isv.alipay-cert-not-exist", "支付宝公钥证书不存在")
    return success(alipay_cert_content=base64.b64encode(cert.encode()).decode())
