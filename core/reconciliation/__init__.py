"""Every day each platform's bill is held against our payments and refunds, the books, and what was booked."""
