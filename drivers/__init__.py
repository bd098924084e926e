"""From a sensor's bytes to a Reading. Knows no buffer, no uplink, no platform."""
