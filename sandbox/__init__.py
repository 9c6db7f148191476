"""A sandbox of the platforms' servers: an integrator tests any mini-program backend against it (`python -m sandbox`).

Written from the protocol page alone. It imports nothing of the product it is used to test, and keeps its own keys,
its own ledger and its own control surface under `/control`.
"""
