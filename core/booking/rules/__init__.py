"""What refuses a booking: each rule a function of the case, what it looks at, and the refusals with their codes."""
