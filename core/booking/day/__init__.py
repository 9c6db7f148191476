"""The day itself: visit pass, check-in, the queue, the desk, and whoever did not come."""
