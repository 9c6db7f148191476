"""A second visit on the same registration (续诊): the right to it, and the number that uses it."""
