"""What `/control/credentials` hands out for Alipay: keys, certificates, and the layout of the genuine files."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import requests
from alipay import DCAliPay
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from sandbox.alipay.certificates import pem_blocks
from sandbox.keys import FILE_NAME
from sandbox.testing import Control, running_sandbox

#: python-alipay-sdk reads certificates by ways that pyOpenSSL is about to leave (protocol section 12.4).
pytestmark = pytest.mark.filterwarnings("ignore:X509:DeprecationWarning")


def accounts(box: Any) -> dict[str, dict[str, Any]]:
    return {row["merchant"]: row for row in box.control.get("/credentials")["alipay"]}


def test_accounts_have_the_documented_shape(box: Any) -> None:
    rows = box.control.get("/credentials")["alipay"]
    common = {
        "merchant",
        "app",
        "app_id",
        "seller_id",
        "private_key",
        "alipay_public_key",
        "gateway",
        "id_mode",
        "bill_url",
        "wap",
    }
    demo, gulou, xiehe = rows
    assert [row["merchant"] for row in rows] == ["demo", "gulou", "xiehe"]
    assert demo.keys() == common | {"aes_key"}
    assert gulou.keys() == xiehe.keys() == common | {"op_app_id", "certificates"}
    assert {row["op_app_id"] for row in (gulou, xiehe)} == {demo["app_id"]}
    assert {(row["app"], row["id_mode"]) for row in rows} == {("patient", "open_id")}
    assert len(base64.b64decode(demo["aes_key"])) == 16
    for row in rows:
        assert (row["app_id"][:4], len(row["app_id"]), row["app_id"].isdigit()) == ("2021", 16, True)
        assert (row["seller_id"][:4], len(row["seller_id"]), row["seller_id"].isdigit()) == ("2088", 16, True)
        assert row["gateway"] == box.running.base_url + "/alipay/gateway.do"
        assert row["bill_url"] == box.running.base_url + "/alipay-bills"
        ours, theirs = (
            load_pem_private_key(row["private_key"].encode(), None),
            load_pem_public_key(row["alipay_public_key"].encode()),
        )
        assert ours.public_key() != theirs
    for name in ("app_id", "seller_id", "private_key", "alipay_public_key"):
        assert len({row[name] for row in rows}) == 3


def test_the_root_file_holds_four_roots_of_which_two_count(box: Any) -> None:
    """One root is SM2; one is ECDSA with NULL parameters, which the library we use refuses to read (section 3.2)."""
    root_file = accounts(box)["gulou"]["certificates"]["alipay_root_cert"]
    algorithms = []
    for block in pem_blocks(root_file):
        try:
            certificate = x509.load_pem_x509_certificate(block.encode())
            algorithms.append(certificate.signature_algorithm_oid.dotted_string)
        except ValueError:
            algorithms.append("unreadable")
    assert algorithms == ["1.2.156.10197.1.501", "1.2.840.113549.1.1.11", "unreadable", "1.2.840.113549.1.1.5"]
    name = DCAliPay.get_root_cert_sn(root_file)
    assert name == box.running.sandbox.accounts.root_cert_sn
    assert len(name.split("_")) == 2


def test_the_chain_leads_to_the_rsa_root(box: Any) -> None:
    for name in ("gulou", "xiehe"):
        row = accounts(box)[name]
        files = row["certificates"]
        root = x509.load_pem_x509_certificate(pem_blocks(files["alipay_root_cert"])[1].encode())
        leaf, issuer = x509.load_pem_x509_certificates(files["alipay_cert"].encode())
        app = x509.load_pem_x509_certificate(files["app_cert"].encode())
        for lower, upper in ((app, issuer), (leaf, issuer), (issuer, root), (root, root)):
            lower.verify_directly_issued_by(upper)
        assert leaf.public_key() == load_pem_public_key(row["alipay_public_key"].encode())
        assert app.public_key() == load_pem_private_key(row["private_key"].encode(), None).public_key()


def test_the_sha1_root_is_signed_by_itself(box: Any) -> None:
    root_file = accounts(box)["gulou"]["certificates"]["alipay_root_cert"]
    root = x509.load_pem_x509_certificate(pem_blocks(root_file)[3].encode())
    key, algorithm = root.public_key(), root.signature_hash_algorithm
    assert isinstance(key, RSAPublicKey)
    assert algorithm is not None
    key.verify(root.signature, root.tbs_certificate_bytes, PKCS1v15(), algorithm)


def test_an_older_installation_is_completed_at_the_start(data_dir: Path, http: requests.Session) -> None:
    path = data_dir / "sandbox" / FILE_NAME
    stored = json.loads(path.read_text())
    del stored["alipay"]
    path.write_text(json.dumps(stored))
    seen = []
    for _ in range(2):
        with running_sandbox(data_dir) as running:
            seen.append(Control(running.base_url, http).get("/credentials"))
    assert [row["merchant"] for row in seen[0]["alipay"]] == ["demo", "gulou", "xiehe"]
    assert seen[0]["alipay"][0]["app_id"] == seen[1]["alipay"][0]["app_id"]
    assert seen[0]["wechat_pay"][0]["private_key"] == stored["wechat_pay"][0]["private_key_pem"]
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["gulou", "xiehe"])
def test_python_alipay_sdk_reads_the_files(box: Any, name: str) -> None:
    row = accounts(box)[name]
    client = DCAliPay(
        appid=row["app_id"],
        app_private_key_string=row["private_key"],
        app_public_key_cert_string=row["certificates"]["app_cert"],
        alipay_public_key_cert_string=row["certificates"]["alipay_cert"],
        alipay_root_cert_string=row["certificates"]["alipay_root_cert"],
    )
    account = box.running.sandbox.accounts.named(name)
    assert client.app_cert_sn == account.app_cert_sn
    assert client.alipay_root_cert_sn == box.running.sandbox.accounts.root_cert_sn
