"""I/O leaves: open, read some, write, close. Knows no protocol."""
