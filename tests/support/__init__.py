"""Helpers for tests: virtual time, fakes that fail in named ways."""
