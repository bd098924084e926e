"""Field protocols as bytes in, events out. Knows no port, no clock, no task, no device."""
