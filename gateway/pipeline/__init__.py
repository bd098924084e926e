"""Pure steps between a sensor and the buffer: readings in, readings out."""
