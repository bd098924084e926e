"""The simulated disk under the name the older tests know it by."""

from __future__ import annotations

from tools.simulate.disk import SECTOR_BYTES, Inode, SimDisk, SimFile

__all__ = ["SECTOR_BYTES", "Inode", "SimDisk", "SimFile"]
