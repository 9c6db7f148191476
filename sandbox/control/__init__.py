"""`/control`: what the integrator does to the platforms: people, phones, faults, and the platforms' books."""
