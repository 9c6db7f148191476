"""The books: each movement of money once more, as journals whose sides are equal."""
