"""One frozen dataclass, read from the environment at start. A fault stops the start and names every one at once.

| variable | meaning | default |
|---|---|---|
| `MODE` | `production`, or `local` for one's own machine | `production` |
| `DATABASE_URL` | `postgresql://…` or `sqlite:////absolute/path` | local: `yuezhen.db` in `DATA_DIR`; production: required |
| `DATA_DIR` | folder for what this machine keeps | `data-local` in the working directory |
| `KEYS_FILE` | JSON with the three key rings, mode 0600 (`python -m miniapp_api.keys FILE`) | local: `keys.json` in `DATA_DIR`; production: required |
| `CRYPTO_SUITE` | `aes` (AES-256-GCM, HMAC-SHA256) or `sm` (SM4-GCM, HMAC-SM3): what new keys are made for, and what the active ones must be | new keys: `aes`; active ones: whatever `KEYS_FILE` says |
| `PLATFORMS_FILE` | JSON with the platforms' accounts, mode 0600 in production: `{"wechat_miniapp": [{app, appid, secret, base_url}], "wechat_pay": [{merchant, mchid, appid, bound_appids?, sub_mchid?, sub_appids?, h5?, serial_no, private_key, apiv3_key, public_key_id?, public_key?, platform_certificates?, base_url}]}`; `base_url` may be left out; other keys are ignored | local: `platforms.json` in `DATA_DIR`; production: required |
| `PUBLIC_BASE_URL` | where the platforms reach us; https in production | local: `http://127.0.0.1:8000` (or `API_PORT`); production: required |
| `TRUSTED_PROXIES` | how many proxies of ours stand in front and set `X-Forwarded-For` | `0` |
| `SESSION_HOURS` | how long a login lasts | `720` |
| `RATE_LIMIT_ADDRESS` | requests of one network address, `COUNT/second`, `/minute`, `/hour` or `/day` | `600/minute`; local: `60000/minute` |
| `RATE_LIMIT_ACCOUNT` | requests of one account | `300/minute`; local: `6000/minute` |
| `RATE_LIMIT_LOGIN` | logins tried from one network address | `30/minute`; local: `6000/minute` |
| `RATE_LIMIT_SMS_PHONE` | codes sent to one phone, several rates that all hold | `1/minute,5/hour,10/day` |
| `RATE_LIMIT_SMS_ACCOUNT` | codes asked for by one account | `10/hour,20/day` |
| `RATE_LIMIT_SMS_ADDRESS` | codes asked for from one network (/24, /48) | `60/hour,300/day`; local: `6000/hour,60000/day` |
| `SMS_DAILY_MOST` | messages of one day in all: what a day may cost | `5000` |
| `REFUNDS_PER_SECOND` | calls about refunds of one merchant account that no second has more of, by all workers together | `100` |
| `REDIS_URL` | `redis://…`, `rediss://…` or `redis+unix://…`: counts these rates for all processes together | each process counts for itself |
| `LOG_LEVEL` | `DEBUG`, `INFO`, `WARNING` or `ERROR` | `INFO` |
| `BODY_LIMIT` | largest request body in bytes | `65536` |

Where Redis does not answer, each process counts for itself meanwhile. Codes are counted in the database at all times.
"""  # noqa: E501 - a table has long rows

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from core.identity.code_limits import CodeLimits, Rate
from core.workbench import REFUNDS_PER_SECOND
from miniapp_api.keys import SUITE_VARIABLE, Keys, KeysUnusable, read_keys, suite_wanted
from miniapp_api.platforms import Platforms, PlatformsUnusable, read_platforms

_RATE = re.compile(r"[1-9]\d{0,8}/(second|minute|hour|day)", re.ASCII)
_MOST_RATES = 4
_UNITS = {"second": timedelta(seconds=1), "minute": timedelta(minutes=1), "hour": timedelta(hours=1)}
_UNITS["day"] = timedelta(days=1)
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class Mode(StrEnum):
    PRODUCTION = "production"
    LOCAL = "local"


class ConfigError(Exception):
    """The environment is unfit. The message names every fault and no value."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("cannot start:\n" + "\n".join(f"  - {fault}" for fault in faults))
        self.faults = faults


@dataclass(frozen=True)
class Config:
    """What differs by deployment. Rules differ by policy (data), everything else is a named constant."""

    mode: Mode
    data_dir: Path
    public_base_url: str
    database_url: str = field(repr=False)
    keys: Keys = field(repr=False)
    platforms: Platforms = field(repr=False)
    trusted_proxies: int
    session_lifetime: timedelta
    address_limit: str
    account_limit: str
    login_limit: str
    follower_limit: str
    code_limits: CodeLimits
    refunds_per_second: int
    redis_url: str = field(repr=False)
    log_level: str
    body_limit: int

    @property
    def is_production(self) -> bool:
        return self.mode is Mode.PRODUCTION

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Config:
        """Raises: ConfigError."""
        return _Look(environ).config()


class _Look:
    """Reads one environment and collects what is wrong with it."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.faults: list[str] = []
        self.mode = Mode(self.one_of("MODE", tuple(Mode), Mode.PRODUCTION))
        self.local = self.mode is Mode.LOCAL

    def config(self) -> Config:
        """Raises: ConfigError."""
        data_dir = Path(self.text("DATA_DIR", "data-local")).absolute()
        keys, platforms = self.keys(data_dir), self.platforms(data_dir)
        with_files = partial(
            Config,
            mode=self.mode,
            data_dir=data_dir,
            public_base_url=self.base_url(),
            database_url=self.database_url(data_dir),
            trusted_proxies=self.whole("TRUSTED_PROXIES", 0, smallest=0, largest=10),
            session_lifetime=timedelta(hours=self.whole("SESSION_HOURS", 720, smallest=1, largest=24 * 365)),
            address_limit=self.rate("RATE_LIMIT_ADDRESS", "60000/minute" if self.local else "600/minute"),
            account_limit=self.rate("RATE_LIMIT_ACCOUNT", "6000/minute" if self.local else "300/minute"),
            login_limit=self.rate("RATE_LIMIT_LOGIN", "6000/minute" if self.local else "30/minute"),
            follower_limit=self.rate("RATE_LIMIT_FOLLOWER", "6000/minute" if self.local else "20/minute"),
            code_limits=self.code_limits(),
            refunds_per_second=self.whole("REFUNDS_PER_SECOND", REFUNDS_PER_SECOND, smallest=1, largest=150),
            redis_url=self.redis_url(),
            log_level=self.one_of("LOG_LEVEL", LOG_LEVELS, "INFO"),
            body_limit=self.whole("BODY_LIMIT", 64 * 1024, smallest=1024, largest=1024 * 1024),
        )
        if self.faults or keys is None or platforms is None:
            raise ConfigError(self.faults)
        return with_files(keys=keys, platforms=platforms)

    def text(self, name: str, default: str | None = None) -> str:
        """The value; without one the default, which is None where a production start needs a value."""
        value = self.environ.get(name, "").strip()
        if value:
            return value
        if default is None:
            self.faults.append(f"{name} is missing")
        return default or ""

    def one_of(self, name: str, words: tuple[str, ...], default: str) -> str:
        value = self.text(name, default)
        if value not in words:
            self.faults.append(f"{name} must be one of: {', '.join(words)}")
            return default
        return value

    def whole(self, name: str, default: int, *, smallest: int, largest: int) -> int:
        value = self.text(name, str(default))
        if not (value.isascii() and value.isdigit() and len(value) < 12 and smallest <= int(value) <= largest):
            self.faults.append(f"{name} must be a whole number from {smallest} to {largest}")
            return default
        return int(value)

    def rate(self, name: str, default: str) -> str:
        value = self.text(name, default)
        if not _RATE.fullmatch(value):
            self.faults.append(f"{name} must be a rate such as {default}")
            return default
        return value

    def code_limits(self) -> CodeLimits:
        return CodeLimits(
            phone=self.rates("RATE_LIMIT_SMS_PHONE", "1/minute,5/hour,10/day"),
            account=self.rates("RATE_LIMIT_SMS_ACCOUNT", "10/hour,20/day"),
            net=self.rates("RATE_LIMIT_SMS_ADDRESS", "6000/hour,60000/day" if self.local else "60/hour,300/day"),
            daily_most=self.whole("SMS_DAILY_MOST", 5000, smallest=1, largest=10**7),
        )

    def rates(self, name: str, default: str) -> tuple[Rate, ...]:
        """One rate or several that all hold, with commas between them."""
        value = self.text(name, default)
        parts = value.split(",")
        if len(parts) > _MOST_RATES or not all(_RATE.fullmatch(part) for part in parts):
            self.faults.append(f"{name} must be one or several rates such as {default}")
            return ()
        halves = [part.split("/") for part in parts]
        return tuple(Rate(int(count), _UNITS[unit]) for count, unit in halves)

    def redis_url(self) -> str:
        """Empty where there is none."""
        value = self.environ.get("REDIS_URL", "").strip()
        try:
            parts = urlsplit(value)
            local = parts.scheme == "redis+unix" and parts.path
            fits = not value or local or (parts.scheme in ("redis", "rediss") and parts.hostname and parts.port != 0)
        except ValueError:  # of a port that is no number
            fits = False
        if not fits:
            self.faults.append("REDIS_URL must be a redis://, rediss:// or redis+unix:// URL")
        return value

    def base_url(self) -> str:
        port = self.whole("API_PORT", 8000, smallest=1, largest=65535)
        value = self.text("PUBLIC_BASE_URL", f"http://127.0.0.1:{port}" if self.local else None).rstrip("/")
        if not value:
            return value
        schemes = ("http", "https") if self.local else ("https",)
        try:
            parts = urlsplit(value)
            fits = parts.scheme in schemes and parts.hostname and not (parts.query or parts.fragment or "@" in value)
        except ValueError:
            fits = False
        if not fits:
            self.faults.append(f"PUBLIC_BASE_URL must be an absolute {' or '.join(schemes)} URL without query")
        return value

    def database_url(self, data_dir: Path) -> str:
        value = self.text("DATABASE_URL", f"sqlite:///{data_dir / 'yuezhen.db'}" if self.local else None)
        if not value:
            return value
        try:
            url = make_url(value)
            fits = url.get_backend_name() == "postgresql" or (
                url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
            )
        except (ArgumentError, ValueError):
            fits = False
        if not fits:
            self.faults.append("DATABASE_URL must be a postgresql:// URL or name a SQLite file")
        return value

    def keys(self, data_dir: Path) -> Keys | None:
        path = self.text("KEYS_FILE", str(data_dir / "keys.json") if self.local else None)
        try:
            keys = read_keys(Path(path)) if path else None
        except KeysUnusable as error:
            self.faults.append(f"KEYS_FILE {error}")
            return None
        self.require_suite(keys)
        return keys

    def require_suite(self, keys: Keys | None) -> None:
        try:
            wanted = suite_wanted(self.environ)
        except KeysUnusable as error:
            self.faults.append(str(error))
            return
        if keys is not None and wanted is not None and keys.suites != {wanted}:
            self.faults.append(f"KEYS_FILE has active keys that are not of the suite {wanted} ({SUITE_VARIABLE})")

    def platforms(self, data_dir: Path) -> Platforms | None:
        path = self.text("PLATFORMS_FILE", str(data_dir / "platforms.json") if self.local else None)
        try:
            return read_platforms(Path(path), production=not self.local) if path else None
        except PlatformsUnusable as error:
            self.faults.extend(f"PLATFORMS_FILE {fault}" for fault in error.faults)
            return None
