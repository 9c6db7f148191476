"""What the console hands out."""

from typing import Any

from sandbox.context import Sandbox


def credentials(sandbox: Sandbox, root: str) -> list[dict[str, Any]]:
    """The accounts in the form of `PLATFORMS_FILE`."""
    return [
        {
            "provider": account.provider,
            "access_key_id": account.access_key_id,
            "access_key_secret": account.access_key_secret,
            "base_url": f"{root}/realname/{account.provider}",
        }
        for account in sandbox.keys.realname
    ]
