"""Whether a profile is right: its check, its tests, its grade, and that it stays so."""
