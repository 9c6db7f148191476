"""What can be seen from the numbers as a whole: signs of resale, and how fairly a half day went."""
