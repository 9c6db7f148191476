"""Who may use an interface: the mini-program or the official account that an access token speaks for."""

from collections.abc import Callable

from flask import Response, request

from sandbox.context import Sandbox
from sandbox.exchange import Result
from sandbox.keys import App, Official
from sandbox.wechat import tokens
from sandbox.wechat.exchange import ApiError, ApiExchange


class TokenExchange(ApiExchange):
    """Proved by the access token in the query (section 0); an interface that only mini-programs have."""

    def __init__(self, sandbox: Sandbox, operation: str, number: str | None, method: str = "POST") -> None:
        super().__init__(sandbox, operation, number)
        self._method = method

    def admit(self) -> App:
        """Raises: ApiError 43001, 43002, 41001, 40001, 42001, 48001."""
        require(self._method)
        app = self.remember(tokens.holder_of(self.sandbox, request.args.get("access_token")))
        if not self.grants(app):
            raise ApiError(48001)
        return app

    def grants(self, app: App) -> bool:
        """Tell whether this account has the interface."""
        return not isinstance(app, Official)


class OfficialExchange(TokenExchange):
    """An interface that only official accounts have."""

    def grants(self, app: App) -> bool:
        """Tell whether this account has the interface."""
        return isinstance(app, Official)

    def serve_official(self, act: Callable[[Official], Result]) -> Response:
        """Run the call for the account it was admitted for."""

        def granted(app: App) -> Result:
            assert isinstance(app, Official)
            return act(app)

        return self.serve(granted)


def require(method: str) -> None:
    """Raises: ApiError 43001, 43002."""
    if request.method != method:
        raise ApiError(43001 if method == "GET" else 43002)
