"""Waiting for a number (候补): in strict order, a number found for somebody, and what became of it."""
