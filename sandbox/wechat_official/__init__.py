"""An official account: menu, scene codes, web login, and the messages the platform pushes (protocol section 3)."""
