"""The wiring: the parts of a sandbox and the Flask application that serves them."""

import fcntl
import logging
import os
from dataclasses import dataclass
from typing import IO

from flask import Flask, Response, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from sandbox.alipay.keys import open_accounts
from sandbox.alipay.routes import bill_files, gateway
from sandbox.background import Background
from sandbox.clock import Clock
from sandbox.config import ConfigError, Settings
from sandbox.context import EXTENSION, Sandbox
from sandbox.control.alipay import merchants
from sandbox.control.body import ControlError
from sandbox.control.books import CLOCK_OFFSET, books
from sandbox.control.hospital import hospital_control
from sandbox.control.mail import mail
from sandbox.control.miniapps import miniapps
from sandbox.control.official import official_control
from sandbox.control.pay_keys import pay_keys
from sandbox.control.people import people
from sandbox.control.realname import realname_control
from sandbox.control.scripts import scripts
from sandbox.control.texts import texts_control
from sandbox.exchange import Answer
from sandbox.hospital.routes import hospital
from sandbox.journal import Journal
from sandbox.keys import make_home, open_keyring
from sandbox.pages.chat import chat
from sandbox.pages.face import camera
from sandbox.pages.frame import error_page, harden
from sandbox.pages.pay import pay as cashier_page
from sandbox.pages.site import site
from sandbox.pages.texts import inbox
from sandbox.pages.visitor import visitor
from sandbox.pages.wap import cashier as wap_page
from sandbox.realname.routes import registers
from sandbox.server import Server
from sandbox.sms.routes import texts
from sandbox.store import Store, read_meta
from sandbox.wechat.exchange import error_answer as api_error
from sandbox.wechat.routes import api
from sandbox.wechat_official.routes import official_api
from sandbox.wechat_pay.certificates import open_certificates
from sandbox.wechat_pay.errors import error_answer as pay_error
from sandbox.wechat_pay.routes import pay

log = logging.getLogger("sandbox")


@dataclass
class Running:
    """A sandbox that listens; `serve` blocks until `server.shutdown` is called, `stop` then puts everything away."""

    sandbox: Sandbox
    server: Server
    background: Background
    lock: IO[str]

    @property
    def base_url(self) -> str:
        """Where it listens."""
        host, port = self.server.server_address[:2]
        shown = f"[{host!s}]" if ":" in str(host) else str(host)
        return f"http://{shown}:{port}"

    def serve(self) -> None:
        """Answer requests and send what is due until shutdown."""
        self.background.start()
        self.server.serve_forever(poll_interval=0.05)

    def stop(self) -> None:
        """Finish what is under way, then close sockets and files."""
        self.sandbox.stopping.set()
        self.server.drain()
        self.background.stop()
        self.sandbox.store.close()
        self.lock.close()


def start(settings: Settings) -> Running:
    """Open or create the state, and listen. Raises: ConfigError; OSError when the port is taken."""
    settings.check()
    make_home(settings.home)
    lock = _lock(settings)
    store = Store(settings.home)
    clock = Clock(float(read_meta(store, CLOCK_OFFSET, "0")))
    keys, accounts = open_keyring(settings.home), open_accounts(settings.home)
    certificates = open_certificates(settings.home)
    sandbox = Sandbox(settings, clock, store, keys, Journal(store, clock), accounts, certificates)
    try:
        server = Server(settings.host, settings.port, create_app(sandbox), settings.body_limit, sandbox.stopping)
    except OSError:
        store.close()
        lock.close()
        raise
    return Running(sandbox, server, Background(sandbox), lock)


def create_app(sandbox: Sandbox) -> Flask:
    """The Flask application of one sandbox."""
    app = Flask("sandbox", static_folder=None)
    app.extensions[EXTENSION] = sandbox
    app.url_map.merge_slashes = False
    platforms = (api, official_api, pay, gateway, bill_files, texts, registers, hospital)
    controls = (
        books,
        people,
        official_control,
        scripts,
        mail,
        merchants,
        pay_keys,
        texts_control,
        realname_control,
        hospital_control,
        miniapps,
    )
    for blueprint in (*platforms, *controls):
        app.register_blueprint(blueprint)
    for pages in (site, chat, cashier_page, camera, visitor, wap_page, inbox):
        app.register_blueprint(pages)
    app.add_url_rule("/healthz", "healthz", lambda: {"status": "ok"})
    app.register_error_handler(ControlError, lambda error: error.response())
    app.register_error_handler(Exception, _unexpected)
    return app


def _unexpected(error: Exception) -> ResponseReturnValue:
    """What no route foresaw, in the words of the platform whose path it is."""
    if isinstance(error, HTTPException):
        status, code, message = error.code or 500, error.name.lower().replace(" ", "_"), error.name
    else:
        log.error("unexpected error", exc_info=error)
        status, code, message = 500, "internal_error", "internal error"
    if request.path.startswith("/wechat-pay"):
        known = {404: "RESOURCE_NOT_EXISTS", 500: "SYSTEM_ERROR"}
        return _response(pay_error(status, known.get(status, "INVALID_REQUEST"), message, 0))
    if request.path.startswith("/wechat/") and status != 500:
        return _response(Answer(status, api_error(40066, "invalid url").body))
    if request.path.startswith(("/pages/", "/wechat-open/")):
        return harden(error_page(status, code))
    return ControlError(status, code, message).response()


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, {"Content-Type": "application/json", **answer.headers})


def _lock(settings: Settings) -> IO[str]:
    """Keep two sandboxes out of one folder: each would send every notice.

    The system frees the lock of a process that died.
    """
    lock = os.fdopen(os.open(settings.home / "lock", os.O_RDWR | os.O_CREAT, 0o600), "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise ConfigError(f"another sandbox is using {settings.home}") from error
    return lock
