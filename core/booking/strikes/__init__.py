"""What counts against a person: strikes, the ladders of what they cost, and appeals."""
