"""What the wallet hands to a mini-program that has no call of its own: the phone number (protocol section 5.5)."""

from sandbox.alipay.console import signer_of
from sandbox.alipay.errors import MESSAGES
from sandbox.alipay.keys import Account
from sandbox.alipay.wire import encrypt, node_text
from sandbox.context import Sandbox
from sandbox.crypto import rsa_sign

#: The failures the platform lists, and the codes that go with them.
FAILURES = {
    "isv.missing-encrypt-key": "40001",
    "isv.insufficient-isv-permissions": "40006",
    "isv.invalid-auth-relations": "40003",
    "aop.unknow-error": "20000",
}


def phone_payload(
    sandbox: Sandbox, miniapp: Account, phone: str, *, encrypted: bool, signed: bool, failure: str | None
) -> dict[str, str]:
    """What my.getPhoneNumber gives to the mini-program, to be sent to its backend unchanged.

    Failures come in plain and in another style than everything else; without a key in the console there is no `sign`.
    """
    if failure is not None:
        code = FAILURES[failure]
        response = node_text({"code": code, "msg": MESSAGES[code], "subCode": failure, "subMsg": "获取手机号失败"})
    else:
        response = node_text({"code": "10000", "msg": MESSAGES["10000"], "mobile": phone})
    covered = response
    if encrypted and failure is None and miniapp.aes_key is not None:
        response = encrypt(miniapp.aes_key, response)
        covered = f'"{response}"'
    payload = {"response": response, "sign_type": "RSA2", "encrypt_type": "AES", "charset": "UTF-8"}
    if signed:
        payload["sign"] = rsa_sign(signer_of(sandbox, miniapp).key, covered.encode())
    return payload
