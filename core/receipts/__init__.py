"""The finance ministry's electronic receipts: kept as hospitals tell of them, and ended before money goes back."""
