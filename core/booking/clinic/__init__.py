"""What a hospital does to a half day that has numbers sold: suspended, given to another doctor, moved, closed."""
