"""What a person may ask of us about their own data: to see it, to know who saw it, and to have it erased."""
