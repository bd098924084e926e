"""Named child processes that can be killed, restarted and never outlive us: a stage for faults.

Knows processes, ports and files of standard error; does not know what the children do.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.core.errors import LinkError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

READY_S = 10.0  # a broker or a Python child is up in 0.2 s; ten is a loaded machine
STOP_S = 5.0  # then a child that ignores SIGTERM is killed
PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"  # a user's lacks servers
TAIL_BYTES = 2_000  # of standard error, shown when a child dies early
_PR_SET_PDEATHSIG = 1  # prctl(2)
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None  # before any fork


class Process:
    """One child: `argv` run in `directory`, its output in `<name>.out` and `<name>.err` there.

    It dies with the thread that starts it (Linux), so start it from the main thread.
    """

    def __init__(self, name: str, argv: Sequence[str], directory: Path) -> None:
        self.name = name
        self.argv = list(argv)
        self.directory = directory
        self.starts = 0
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id; LinkError if it was never started."""
        return self._started().pid

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def returncode(self) -> int | None:
        """What it ended with (minus the signal), None while it runs."""
        return self._started().poll()

    @property
    def out_path(self) -> Path:
        return self.directory / f"{self.name}.out"

    @property
    def err_path(self) -> Path:
        return self.directory / f"{self.name}.err"

    def start(self) -> None:
        """Start it; its output is appended, so that a restart keeps what came before."""
        if self.alive:
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        parent = os.getpid()
        with self.out_path.open("ab") as out, self.err_path.open("ab") as err:
            self._child = subprocess.Popen(
                self.argv,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=err,
                start_new_session=True,  # Ctrl-C is for us: we end our children in order
                preexec_fn=lambda: _die_with(parent),  # noqa: PLW1509 - only prctl and getppid
            )
        self.starts += 1

    def type(self, line: str) -> None:
        """Type a line at it; nothing if it does not run."""
        child = self._child
        if child is not None and child.stdin is not None and self.alive:
            child.stdin.write(f"{line}\n".encode())
            child.stdin.flush()

    def kill(self) -> None:
        """End it as a power cut does (SIGKILL) and wait until it is gone."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end (SIGTERM); kill it if it does not."""
        self._end(signal.SIGTERM)

    def pause(self) -> None:
        """Freeze it (SIGSTOP), as a stalled server is frozen: its port stays open."""
        self._started().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._started().send_signal(signal.SIGCONT)

    def wait(self, seconds: float) -> int:
        """Return what it ended with; LinkError if it still runs after `seconds`."""
        try:
            return self._started().wait(seconds)
        except subprocess.TimeoutExpired:
            raise LinkError(f"{self.name} still runs after {seconds} s")

    def ready(self, port: int, seconds: float = READY_S) -> None:
        """Return when `port` answers on loopback; LinkError with its last words if it does not."""
        self.until(lambda: answers(port), f"answer on port {port}", seconds)

    def until(self, met: Callable[[], bool], what: str, seconds: float = READY_S) -> None:
        """Return when `met()`; LinkError if it dies first or does not `what` in time."""
        deadline = time.monotonic() + seconds
        while not met():
            if not self.alive:
                raise LinkError(f"{self.name} ended with {self.returncode}: {self.last_words()}")
            if time.monotonic() > deadline:
                raise LinkError(f"{self.name} did not {what} in {seconds} s: {self.last_words()}")
            time.sleep(0.02)

    def last_words(self) -> str:
        """Return the end of its standard error."""
        if not self.err_path.exists():
            return ""
        return self.err_path.read_bytes()[-TAIL_BYTES:].decode(errors="replace").strip()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            raise LinkError(f"{self.name} was never started")
        return self._child

    def _end(self, how: signal.Signals) -> None:
        child = self._child
        if child is None or child.poll() is not None:
            return
        child.send_signal(how)
        child.send_signal(signal.SIGCONT)  # a frozen child cannot answer SIGTERM
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


class Stage:
    """The processes of one performance; leaving the `with` ends them, last started first."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.processes: dict[str, Process] = {}

    def add(self, process: Process) -> Process:
        """Take over a process, started or not."""
        self.processes[process.name] = process
        return process

    def python(self, name: str, *arguments: str) -> Process:
        """Start this Python with `arguments` ("-m", "tools.…", …) as the process `name`."""
        process = self.add(Process(name, [sys.executable, *arguments], self.directory))
        process.start()
        return process

    def close(self) -> None:
        for process in reversed(self.processes.values()):
            process.stop()

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def answers(port: int, host: str = "127.0.0.1") -> bool:
    """Return whether somebody accepts a connection there."""
    try:
        with socket.create_connection((host, port), timeout=0.2):
            return True
    except OSError:
        return False


def program(name: str) -> str | None:
    """Return where a program lies, None if it is nowhere; a server's, too."""
    return shutil.which(name, path=PATH)


def free_port() -> int:
    """Return a TCP port of loopback that was free a moment ago."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def _die_with(parent: int) -> None:
    if _LIBC is None:
        return
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the parent was gone before we asked
        os._exit(1)
