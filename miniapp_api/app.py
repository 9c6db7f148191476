"""create_app: everything a running app is made of, on one screen. Nothing here opens a connection."""

from __future__ import annotations

import os

from flask import Flask

from core.clock import Clock, DatabaseClock
from core.identity.platform_tokens import DatabaseTokenStore
from core.registry import Adapters
from core.tickets import Tickets
from core.transactions import Transactions
from core.workbench import Workbench
from miniapp_api import (
    callbacks,
    cli,
    docs,
    errors,
    full_at_once,
    h5,
    headers,
    health,
    limits,
    logs,
    openapi,
    patient,
    ready,
    refused,
)
from miniapp_api.adapters import Registry
from miniapp_api.body import StrictJSON, StrictRequest
from miniapp_api.config import Config
from miniapp_api.services import EXTENSION, Services
from models.database import Database
from models.sealing import Vault

BLUEPRINTS = (*patient.BLUEPRINTS, *callbacks.BLUEPRINTS, *h5.BLUEPRINTS, *health.BLUEPRINTS)


class App(Flask):
    """Flask, reading JSON strictly."""

    request_class = StrictRequest
    json_provider_class = StrictJSON


def create_app(config: Config | None = None, *, adapters: Adapters | None = None, clock: Clock | None = None) -> App:
    """The HTTP face, wired. Without `config` the environment is read; tests give their own adapters and clock.

    Raises: ConfigError."""
    config = config or Config.from_environ(os.environ)
    logs.configure(config.log_level)
    app = App("miniapp_api", static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=config.body_limit, PROVIDE_AUTOMATIC_OPTIONS=False)
    app.url_map.merge_slashes = False
    app.extensions[EXTENSION] = Services(config, make_workbench(config, adapters, clock))
    logs.register(app)
    headers.register(app, config)
    errors.register(app)
    full_at_once.register(app, config)
    ready.register(app)
    limits.register(app, config)
    refused.register(app)
    api = openapi.make_api(app, config.public_base_url)
    openapi.register(app, api, BLUEPRINTS)
    docs.register(app, api)
    h5.register(app)
    cli.register(app)
    return app


def make_workbench(config: Config, adapters: Adapters | None = None, clock: Clock | None = None) -> Workbench:
    """Database, keys and adapters, for the app, the worker and the operator's commands alike."""
    database = Database(config.database_url)
    transactions = Transactions(database, clock or DatabaseClock(database))
    vault = Vault(sealing=config.keys.sealing, hashing=config.keys.hashing)
    adapters = adapters or Registry(config, DatabaseTokenStore(transactions, vault))
    return Workbench(transactions, vault, Tickets(config.keys.tickets), adapters, config.refunds_per_second)
