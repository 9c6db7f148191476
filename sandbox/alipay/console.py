"""What a merchant sees and sets in the platform's console: keys, certificates, their rotation, the kind of user id."""

from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from sandbox.alipay.certificates import leaf_serial_name
from sandbox.alipay.keys import Account, key_of, new_key, platform_certificate, public_pem
from sandbox.context import Sandbox
from sandbox.store import read_meta, write_meta

OPEN_ID = "open_id"
USER_ID = "user_id"
ID_MODES = (OPEN_ID, USER_ID)


@dataclass(frozen=True)
class Signer:
    """What the platform signs with for one account; `cert_sn` is None in key mode."""

    key: RSAPrivateKey
    cert: str | None
    cert_sn: str | None


def signer_of(sandbox: Sandbox, account: Account) -> Signer:
    """The platform's key for this account as of now."""
    row = sandbox.store.one(
        "select * from alipay_certificates where app_id = ? order by issued_at desc limit 1", (account.app_id,)
    )
    if row is not None:
        return Signer(key_of(row["key_pem"]), row["cert"], row["sn"])
    cert = account.alipay_cert
    return Signer(key_of(account.alipay_key_pem), cert, None if cert is None else leaf_serial_name(cert))


def certificate_named(sandbox: Sandbox, account: Account, cert_sn: str) -> str | None:
    """A certificate of the platform that this account has met or will meet."""
    if account.alipay_cert is not None and leaf_serial_name(account.alipay_cert) == cert_sn:
        return account.alipay_cert
    row = sandbox.store.one(
        "select cert from alipay_certificates where app_id = ? and sn = ?", (account.app_id, cert_sn)
    )
    return None if row is None else row["cert"]


def rotate(sandbox: Sandbox, account: Account) -> Signer:
    """Give the platform another key and certificate for this account; answers and events carry it from now on."""
    key, key_pem = new_key()
    cert = platform_certificate(sandbox.accounts.authority, account.seller_id, key.public_key())
    with sandbox.store.transaction() as tx:
        tx.execute(
            "insert into alipay_certificates (app_id, sn, key_pem, cert, issued_at) values (?, ?, ?, ?, ?)",
            (account.app_id, leaf_serial_name(cert), key_pem, cert, sandbox.clock.now()),
        )
    return signer_of(sandbox, account)


def id_mode(sandbox: Sandbox, app_id: str) -> str:
    """Whether the mini-program knows people by open_id, as newer ones do, or by user_id (protocol section 5.3)."""
    return read_meta(sandbox.store, f"alipay_id_mode:{app_id}", OPEN_ID)


def set_id_mode(sandbox: Sandbox, app_id: str, mode: str) -> None:
    """Turn the mini-program into an older or a newer one."""
    write_meta(sandbox.store, f"alipay_id_mode:{app_id}", mode)


def credentials(sandbox: Sandbox, root: str) -> list[dict[str, Any]]:
    """Everything a client needs to speak as each account."""
    return [_credentials_of(sandbox, account, root) for account in sandbox.accounts.items]


def _credentials_of(sandbox: Sandbox, account: Account, root: str) -> dict[str, Any]:
    signer = signer_of(sandbox, account)
    row: dict[str, Any] = {
        "merchant": account.name,
        "app": account.app,
        "app_id": account.app_id,
        "seller_id": account.seller_id,
        "private_key": account.private_key_pem,
        "alipay_public_key": public_pem(signer.key.public_key()),
        "gateway": f"{root}/alipay/gateway.do",
        "bill_url": f"{root}/alipay-bills",
        "id_mode": id_mode(sandbox, account.op_app_id),
        "wap": True,
    }
    if not account.is_miniapp:
        row["op_app_id"] = account.op_app_id
    if account.aes_key is not None:
        row["aes_key"] = account.aes_key
    if signer.cert is not None:
        row["certificates"] = {
            "app_cert": account.app_cert,
            "alipay_cert": signer.cert,
            "alipay_root_cert": sandbox.accounts.authority.root_file,
        }
    return row
