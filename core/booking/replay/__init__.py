"""Past bookings judged by a changed policy."""
