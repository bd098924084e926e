"""The demonstration: a whole city corner on one machine, and everything that can break in it."""
