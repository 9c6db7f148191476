"""WeChat Pay from a browser outside of WeChat (H5). Sources: wechat.md 4.4, PAY /doc/v3/merchant/4012791834."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address
from typing import Any

from core.ports import PaymentOrder, ProviderRefused
from integrations.answers import load_answer
from integrations.wechat._schemas import H5Schema
from integrations.wechat.pay import WeChatPayGateway

SCENE = "Wap"
"""A page in a browser, on whatever phone. iOS and Android are words for an app of one's own, which names itself."""


class WeChatH5Gateway(WeChatPayGateway):
    """Port PaymentGateway for the same merchant and app, whoever pays: only the wallet that opens knows who that is.

    WeChat compares the address that the order came from with the one that pays, so an order that is opened again from
    another address may be refused as another order.
    """

    channel = "wechat_h5"

    def open_payment(self, order: PaymentOrder) -> Mapping[str, Any]:
        """A place to go to within 5 minutes, from a page of the registered domain. `&redirect_url=` may be added to it:
        where WeChat leads back to, whatever came of it.

        Raises: as the other gateway; and ProviderRefused `no_address` for an order without the payer's.
        """
        scene = {"payer_client_ip": _plain(order.client_ip), "h5_info": {"type": SCENE}}
        payload = self._order(order) | {"scene_info": scene}
        answer = load_answer(H5Schema(), self._http.send("POST", f"{self._parties.transactions}/h5", payload))
        return {"h5_url": answer["h5_url"]}


def _plain(address: str | None) -> str:
    """As WeChat sees it: a socket for both families writes an old address in the new form. Raises: ProviderRefused."""
    try:
        found = ip_address(address or "")
    except ValueError:
        raise ProviderRefused("no_address") from None  # not chained: it would name the address
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return str(mapped or found)
