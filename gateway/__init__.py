"""Tidegate: from a sensor's bytes to the city's platform, with nothing lost on the way."""

__version__ = "0.1.0"
