"""What can be set from outside: command line first, environment second, then a default that suits a local run."""

import argparse
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MIN_TOKEN_LENGTH = 16
#: Schedule seconds are divided by this. At 15 the first repetition comes after a second, the last after 96 min.
DEFAULT_TIME_SCALE = 15.0
DEFAULT_SETTLE_DELAY = 0.2


class ConfigError(Exception):
    """The sandbox refuses to start with these settings."""


@dataclass(frozen=True)
class Settings:
    """Everything the sandbox needs to know before it starts."""

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 8100
    time_scale: float = DEFAULT_TIME_SCALE
    settle_delay: float = DEFAULT_SETTLE_DELAY
    token: str | None = None
    product_url: str = "http://127.0.0.1:8000"
    body_limit: int = 1024 * 1024

    @property
    def home(self) -> Path:
        """The sandbox's own folder inside the data directory."""
        return self.data_dir / "sandbox"

    def check(self) -> None:
        """Refuse what would be unsafe or senseless. Raises: ConfigError."""
        if self.token is not None and len(self.token) < MIN_TOKEN_LENGTH:
            raise ConfigError(f"SANDBOX_TOKEN needs at least {MIN_TOKEN_LENGTH} characters")
        if not is_loopback(self.host) and self.token is None:
            raise ConfigError(f"{self.host} is not a loopback address: set SANDBOX_TOKEN to listen there")
        if not self.time_scale > 0:
            raise ConfigError("--time-scale must be greater than 0")
        if not 0 <= self.settle_delay <= 86400:
            raise ConfigError("--settle-delay must lie between 0 and 86400 seconds")
        if not 0 <= self.port <= 65535:
            raise ConfigError("--port must lie between 0 and 65535 (0 lets the system choose)")


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def read_settings(argv: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """Read the command line and the environment. Raises: ConfigError; SystemExit for a wrong command line."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox", description="WeChat, WeChat Pay and Alipay, played locally."
    )
    parser.add_argument("--host", default=environ.get("SANDBOX_HOST", "127.0.0.1"))
    parser.add_argument("--port", default=environ.get("SANDBOX_PORT", "8100"), help="0: the system chooses")
    parser.add_argument(
        "--data-dir", default=environ.get("DATA_DIR", "data-local"), help="keys and state: DIR/sandbox/"
    )
    parser.add_argument(
        "--time-scale",
        default=environ.get("SANDBOX_TIME_SCALE", str(DEFAULT_TIME_SCALE)),
        help="the notices' retry schedule is divided by this; 1 is the platform's own pace",
    )
    parser.add_argument(
        "--settle-delay",
        default=environ.get("SANDBOX_SETTLE_DELAY", str(DEFAULT_SETTLE_DELAY)),
        help="seconds from accepting a refund to its result",
    )
    parser.add_argument(
        "--product-url",
        default=environ.get("SANDBOX_PRODUCT_URL", Settings.product_url),
        help="where what is tested listens: the account's page proposes it as the server to push to",
    )
    given = parser.parse_args(argv)
    try:
        settings = Settings(
            data_dir=Path(given.data_dir),
            host=given.host,
            port=int(given.port),
            time_scale=float(given.time_scale),
            settle_delay=float(given.settle_delay),
            token=environ.get("SANDBOX_TOKEN") or None,
            product_url=given.product_url.rstrip("/"),
        )
    except ValueError as error:
        raise ConfigError(f"not a number: {error}") from error
    settings.check()
    return settings
