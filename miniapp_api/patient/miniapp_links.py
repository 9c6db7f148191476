"""From a web page into the mini-program and the phone: a link to the one step a page cannot do, and page signatures."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Response

from core.idempotency import StoredReply
from core.identity.own import own_dependent
from core.ports import MiniappLinks, OfficialAccount, ProviderUnavailable
from core.registry import NotConfigured
from miniapp_api.auth import current_caller
from miniapp_api.command import dump, respond
from miniapp_api.openapi import endpoint, patient_blueprint
from miniapp_api.services import services
from models.errors import FieldError, NotFound, ValidationFailed
from schemas.pages import MiniappLinkSchema, PageSignatureQuerySchema, PageSignatureSchema

of_dependents = patient_blueprint("miniapp_links", "/api/v1/dependents", tag="pages")
signatures = patient_blueprint("page_signatures", "/api/v1/page-signature", tag="pages")

IDENTITY_PAGE = "pages/identity/index"
LINK_LIFE = timedelta(days=1)


@endpoint(
    of_dependents,
    "GET",
    "/<uuid:dependent_id>/miniapp-link",
    reply=MiniappLinkSchema,
    refusals=(ProviderUnavailable,),
    summary="A link to a dependent's identity page in the mini-program",
)
def get_miniapp_link(dependent_id: UUID) -> Response:
    """For a page of the official account: a face is compared in the mini-program only, and the ways that need none stay
    open where they are (`identity.methods`). A fresh link each time, and no permission: whoever opens it must be logged
    in to the same account. There is none for a login that no mini-program goes with."""
    account_id, links = current_caller().account_id, _links()

    def look(session: Any, now: Any) -> Any:
        own_dependent(session, account_id=account_id, dependent_id=dependent_id)
        return now

    asked_at = services().workbench.transactions.read(look)
    url = links.link(IDENTITY_PAGE, {"dependent_id": str(dependent_id)}, lasts=LINK_LIFE)
    return respond(StoredReply(200, dump(MiniappLinkSchema(), {"url": url, "expires_at": asked_at + LINK_LIFE})))


@endpoint(
    signatures,
    "GET",
    "",
    query=PageSignatureQuerySchema,
    reply=PageSignatureSchema,
    refusals=(NotFound, ProviderUnavailable),
    summary="What a page hands to the official account's script",
)
def get_page_signature(query: dict[str, Any]) -> Response:
    """For a page of ours that was opened by the official account somebody is logged in at; there is none for other
    logins. `url` is the page's address as the browser sees it; what stands behind `#` is not signed."""
    url = query["url"]
    if not url.startswith(f"{services().config.public_base_url}/"):
        raise ValidationFailed(FieldError("?url", "foreign_address"))
    return respond(StoredReply(200, dump(PageSignatureSchema(), {"client_params": _official().sign_page(url)})))


def _links() -> MiniappLinks:
    """Raises: NotFound."""
    caller = current_caller()
    try:
        return services().workbench.adapters.miniapp_links(caller.provider, caller.app)
    except NotConfigured:
        raise NotFound() from None


def _official() -> OfficialAccount:
    """The official account that the caller is logged in at. Raises: NotFound."""
    caller = current_caller()
    try:
        found = services().workbench.adapters.official_account(caller.app)
    except NotConfigured:
        raise NotFound() from None
    if found.provider != caller.provider:
        raise NotFound()
    return found
