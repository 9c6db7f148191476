"""Pages for a person with a browser: both wallets' screens and the official account's chat, without scripts."""
