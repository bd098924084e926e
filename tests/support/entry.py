"""`tidegate` with some of its constants changed: what takes a minute in the field takes seconds.

`python -m tests.support.entry module.NAME=NUMBER … -- run --site …`. A module is imported and
changed before those that copy its names are, so name the one that defines the constant.
With `hang=WHAT:FILE`, that part stops moving while FILE exists: see `_HANGS`. With `metronome=FILE`
it notes there how late the machine lets it run, as `tests.support.device` does.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.device import beat

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_LOOK_S = 0.02


def main() -> int:
    """Change what the arguments before "--" say, then be `tidegate`."""
    at = sys.argv.index("--")
    for text in sys.argv[1:at]:
        name, _, value = text.partition("=")
        if name == "hang":
            what, _, path = value.partition(":")
            _HANGS[what](Path(path))
            continue
        if name == "metronome":
            threading.Thread(target=beat, args=(Path(value),), daemon=True).start()
            continue
        module, _, constant = name.rpartition(".")
        found = importlib.import_module(module)
        setattr(found, constant, type(getattr(found, constant))(value))
    from gateway.__main__ import main as tidegate

    return tidegate(sys.argv[at + 1 :])


def _hang_storage(flag: Path) -> None:
    """The card does not answer: fdatasync blocks its thread."""
    real = os.fdatasync

    def stuck(descriptor: int) -> None:
        while flag.exists():
            time.sleep(_LOOK_S)
        real(descriptor)

    os.fdatasync = stuck  # type: ignore[assignment]


def _hang_loop(flag: Path) -> None:
    """Something computes for ever: the whole event loop stands still."""
    from gateway.agent.agent import Agent

    real = Agent._take

    def stuck(agent: Agent, readings: Any) -> None:
        while flag.exists():
            time.sleep(_LOOK_S)
        real(agent, readings)

    Agent._take = stuck  # type: ignore[assignment,method-assign]


def _hang_poll(flag: Path) -> None:
    """A driver waits for what never comes."""
    from gateway.agent.bus import Bus

    Bus._ask = _waiting(Bus._ask, flag)  # type: ignore[method-assign]


def _hang_uplink(flag: Path) -> None:
    """The uplink waits for what never comes."""
    from gateway.uplink.uplink import Uplink

    Uplink._tell = _waiting(Uplink._tell, flag)  # type: ignore[method-assign]


def _waiting(real: Callable[..., Any], flag: Path) -> Any:
    async def stuck(*given: Any) -> Any:
        while flag.exists():
            await asyncio.sleep(_LOOK_S)
        return await real(*given)

    return stuck


_HANGS = {
    "storage": _hang_storage,
    "loop": _hang_loop,
    "poll": _hang_poll,
    "uplink": _hang_uplink,
}

if __name__ == "__main__":
    sys.exit(main())
