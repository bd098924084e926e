"""A profile with a device behind it, played or real."""
