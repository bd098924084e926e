"""Programs of others that do the same work, each in a file of its own."""
