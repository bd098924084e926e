"""Where tests find the proxy that misbehaves."""

from tools.sim.proxy import DEAF, HOLE, PASS, Proxy

__all__ = ["DEAF", "HOLE", "PASS", "Proxy"]
