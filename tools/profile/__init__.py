"""The profile author's kit: `tidegate profile …`."""
