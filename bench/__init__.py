"""Bookings per second over HTTP, beside the same rows written in bare SQL on the same PostgreSQL in the same run."""
