"""openapi.alipay.com, the v2 gateway: login, real-name check, payment, refunds, events (protocol sections 1 to 8)."""
