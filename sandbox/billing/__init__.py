"""What both wallets' bills have in common: days, fees, lines, what is planted in them, and files to be fetched."""
