"""The buffer on Linux: its directory, and the one thread that touches it."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.buffer.buffer import Buffer
from gateway.buffer.files_cpython import DiskFiles

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gateway.buffer.store import Settings
    from gateway.core.reading import Point

_KERNEL_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


async def open_buffer(path: str, settings: Settings, points: list[Point], version: str) -> Buffer:
    """Open the buffer in directory `path`; ConfigError if another process has it."""
    # One thread: the store is no place for two, and a stalled card must not eat a pool.
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="storage")

    async def job(work: Callable[..., Any], *given: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(thread, work, *given)

    kernel = _KERNEL_BOOT_ID.read_text().strip() if _KERNEL_BOOT_ID.exists() else ""
    return await Buffer.open(
        DiskFiles(path),
        settings,
        points,
        kernel=kernel,
        version=version,
        random=os.urandom,
        job=job,
    )
