"""What both consoles hand out."""

from typing import Any

from sandbox.context import Sandbox


def credentials(sandbox: Sandbox, root: str) -> list[dict[str, Any]]:
    """The accounts in the form of `PLATFORMS_FILE`."""
    return [
        {
            "provider": account.provider,
            "access_key_id": account.access_key_id,
            "access_key_secret": account.access_key_secret,
            "sign_name": account.sign_name,
            "template_id": account.template_id,
            "agreement_template_id": account.agreement_template_id,
            **({} if account.sdk_app_id is None else {"sdk_app_id": account.sdk_app_id, "region": account.region}),
            "base_url": f"{root}/sms/{account.provider}",
        }
        for account in sandbox.keys.sms
    ]
