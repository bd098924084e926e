"""The crash-proof ring log: readings in, durable records out. Knows no sensor and no network."""
