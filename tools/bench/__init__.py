"""Measurements the project keeps: `tidegate bench …`."""
