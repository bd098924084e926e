"""Simulated devices, buses and broker for tests and the demonstration."""
