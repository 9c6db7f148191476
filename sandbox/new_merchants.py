"""New merchant numbers at WeChat Pay, in the form that the key file keeps them."""

import secrets

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from sandbox.crypto import random_digits, random_letters

SUB_MERCHANT_NAMES = ("fuyou", "kouqiang")


def new_merchant(name: str, appid: str, private_key_pem: str, platform_key_pem: str) -> dict[str, str]:
    """One that signs for itself."""
    return {
        "name": name,
        "mchid": f"16{random_digits(8)}",
        "appid": appid,
        "serial_no": f"5{secrets.token_hex(20)[1:]}".upper(),
        "apiv3_key": random_letters(32),
        "public_key_id": f"PUB_KEY_ID_01{random_digits(26)}",
        "private_key_pem": private_key_pem,
        "platform_key_pem": platform_key_pem,
    }


def new_sub_merchants(appid: str) -> list[dict[str, str]]:
    """Two of one partner. The first has the mini-program as an app of its own; the second is paid in it all the same,
    but as an app of the partner."""
    partner = new_merchant("", f"wx{secrets.token_hex(8)}", new_key_pem(), new_key_pem())
    own, shared = ({"name": name, "sub_mchid": f"17{random_digits(8)}"} for name in SUB_MERCHANT_NAMES)
    return [partner | own | {"sub_appid": appid}, partner | shared | {"appid": appid}]


def new_key_pem() -> str:
    """A fresh RSA key."""
    return (
        generate_private_key(public_exponent=65537, key_size=2048)
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )
