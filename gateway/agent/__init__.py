"""The one place where both halves meet: a site's devices feed the buffer, the uplink empties it."""
