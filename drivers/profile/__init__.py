"""Driver profiles: what a device's bytes mean. Knows no port and no protocol framing."""
