"""The keys that stored values were made with: which they are, which one is in use, and the way to newer ones."""
