"""New accounts at clouds, in the form that each platform gives them."""

from sandbox.crypto import random_digits, random_letters


def new_pair(provider: str) -> dict[str, str]:
    """The key of an account, in the form that the platform gives it."""
    key_id, secret = {
        "aliyun": (f"LTAI5t{random_letters(18)}", random_letters(30)),
        "tencent": (f"AKID{random_letters(32)}", random_letters(32)),
    }[provider]
    return {"provider": provider, "access_key_id": key_id, "access_key_secret": secret}


def new_sms() -> list[dict[str, str]]:
    """One account at each platform; templates have one variable, named as the platform names it."""
    words = "您的验证码是{}，5分钟内有效，请勿告诉他人。"
    return [
        {
            **new_pair("aliyun"),
            "sign_name": "约诊沙箱",
            "template_id": f"SMS_{random_digits(9)}",
            "words": words.replace("{}", "${code}"),
        },
        {
            **new_pair("tencent"),
            "sign_name": "约诊沙箱",
            "template_id": random_digits(7),
            "words": words.replace("{}", "{1}"),
            "sdk_app_id": f"1400{random_digits(6)}",
            "region": "ap-guangzhou",
        },
    ]


def agreement_template(provider: str) -> dict[str, str]:
    """The text by which a grown-up agrees to be booked for, as docs/going-live.md has operators register it."""
    number, variable = {
        "aliyun": (f"SMS_{random_digits(9)}", "${code}"),
        "tencent": (random_digits(7), "{1}"),
    }[provider]
    words = (
        f"验证码{variable}用于本人同意由他人代为预约挂号，5分钟内有效。"
        "将它告诉对方即表示同意，可随时撤回；不同意请勿告诉对方。"
    )
    return {"agreement_template_id": number, "agreement_words": words}
