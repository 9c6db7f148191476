"""How a call to either cloud is proven, whatever service it is for."""
