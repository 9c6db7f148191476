"""How a claim on a number ends: cancelled or lapsed, let go, released, given back, and the net under the jobs."""
