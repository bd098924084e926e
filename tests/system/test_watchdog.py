"""What systemd hears of a gateway whose parts hang, one after the other: sd_notify(3)."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.scene import scene

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.scene import Scene

pytestmark = pytest.mark.system

# A twentieth of the field's limits, so that four hangs fit into seconds.
LIMITS_MS = {
    "gateway.health.POLL_LIMIT_MS": 3_000,
    "gateway.health.STORE_LIMIT_MS": 1_500,
    "gateway.health.UPLINK_LIMIT_MS": 3_000,
    "gateway.uplink.uplink.TURN_MS": 500,
    "gateway.agent.agent.PULSE_MS": 500,
}
# What hangs: the part that systemd is told of, and its limit.
HANGS = {"storage": ("store", 1.5), "poll": ("river", 3.0), "uplink": ("uplink", 3.0)}
SLACK_S = 2.0  # two pulses, and a busy machine
ALIVE, STALLED = "WATCHDOG=1", "WATCHDOG=trigger"


class Supervisor:
    """systemd's end of the notification socket."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self.environment = {"NOTIFY_SOCKET": str(path)}

    def hears(self, seconds: float) -> list[str]:
        """Return the lines of the next message, [] if none comes within `seconds`."""
        self._socket.settimeout(max(0.001, seconds))
        try:
            return self._socket.recv(4096).decode().splitlines()
        except TimeoutError:
            return []

    def until(self, word: str, seconds: float) -> list[str]:
        """Return the next message that says `word`; fail if none does."""
        end_s = time.monotonic() + seconds
        heard: list[list[str]] = []
        while time.monotonic() < end_s:
            heard.append(self.hears(end_s - time.monotonic()))
            if word in heard[-1]:
                return heard[-1]
        raise AssertionError(f"never heard {word}, but {heard}")

    def close(self) -> None:
        self._socket.close()


def start(stage: Scene, supervisor: Supervisor) -> None:
    stage.broker()
    stage.fusion()
    site = stage.site(stage.bus("river", "200ms"))
    limits = [f"{name}={value}" for name, value in LIMITS_MS.items()]
    hangs = [f"hang={what}:{stage.folder / what}" for what in (*HANGS, "loop")]
    stage.agent(site, *limits, *hangs, environment=supervisor.environment)


def test_watchdog_is_fed_only_while_every_part_moves_and_hears_which_does_not(
    tmp_path: Path,
) -> None:
    supervisor = Supervisor(tmp_path / "notify")
    with scene(tmp_path) as stage:
        start(stage, supervisor)
        first = supervisor.until("READY=1", 15)
        assert first[0].startswith("STATUS=sampled ")
        assert (tmp_path / "330482-0017/buffer/bulk").is_dir()  # ready is after recovery
        stage.until(lambda: stage.delivered() > 5)
        for what, (part, limit_s) in HANGS.items():
            supervisor.until(ALIVE, 5)
            (tmp_path / what).touch()
            hung_s = time.monotonic()
            told = supervisor.until(STALLED, limit_s + SLACK_S)
            after_s = time.monotonic() - hung_s
            print(f"{what}: told after {after_s:.1f} s: {told}")
            assert told[0] == f"STATUS=stalled: {part}"
            assert ALIVE not in told
            assert after_s > limit_s / 2
            (tmp_path / what).unlink()
            supervisor.until(ALIVE, 5)  # here nobody restarts it; it goes on where it was

        # Nothing can tell when the loop itself stands still: what is missing is the feeding.
        (tmp_path / "loop").touch()
        time.sleep(1)
        while supervisor.hears(0.0):
            pass
        assert supervisor.hears(2.0) == []
        (tmp_path / "loop").unlink()
        supervisor.until(ALIVE, 5)
        stage.settle()
    supervisor.close()
