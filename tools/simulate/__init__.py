"""The whole agent in a simulated world: one process, virtual time, one seed decides everything."""
