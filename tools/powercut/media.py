"""Block devices to do harm to: images, loop devices, mounts, and a recorder of block writes.

Needs root, and says which step the kernel refused (LinkError). Leaves nothing behind: what a
killed process of ours left is taken away by the next one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.core.errors import LinkError
from tools.sim.process import Process

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "tidegate-rig-"
ROOM_BYTES = 512 << 20  # free in memory, or we work on the disk
_TRY_BYTES = 4 << 20
RECORDER = "qemu-storage-daemon"
PROGRAMS = {
    "mkfs.ext4": "apt-get install e2fsprogs",
    "mount": "apt-get install mount",
    "losetup": "apt-get install mount",
    RECORDER: "apt-get install qemu-system-common",
}
_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"  # a user's PATH lacks them on Debian
_MEMORY = Path("/dev/shm")


def missing_program() -> tuple[str, str] | None:
    """Return a program this machine lacks and what brings it, or None."""
    for name, remedy in PROGRAMS.items():
        if shutil.which(name, path=_PATH) is None:
            return name, remedy
    return None


def call(*argv: str) -> str:
    """Run a program and return what it prints; LinkError with what it complains of."""
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, env={**os.environ, "PATH": _PATH}, check=False
        )
    except OSError as error:
        raise LinkError(f"{argv[0]}: {error.strerror}")
    if done.returncode != 0:
        raise LinkError(f"{' '.join(argv)}: {done.stderr.strip() or done.returncode}")
    return done.stdout.strip()


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    """A folder in memory if there is room; what dead processes left of theirs goes first."""
    sweep()
    room = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > ROOM_BYTES
    top = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=_MEMORY if room else None)
    try:
        yield Path(top)
    finally:
        _take_away(top)


def sweep() -> None:
    """Take away mounts, loop devices and folders of processes of ours that are no more."""
    for parent in {_MEMORY, Path(tempfile.gettempdir())}:
        for place in parent.glob(f"{PREFIX}*"):
            pid = place.name.removeprefix(PREFIX).split("-")[0]
            if not Path(f"/proc/{pid}").exists():
                _take_away(str(place))


def make_ext4(image: Path, size_bytes: int, *options: str) -> None:
    """Make an image file with an empty ext4 of 4 KiB blocks, as a card has."""
    with image.open("wb") as file:
        file.truncate(size_bytes)
    plain = ("-E", "lazy_itable_init=0,lazy_journal_init=0")  # nothing left to write later
    call("mkfs.ext4", "-q", "-F", "-b", "4096", *plain, *options, str(image))


@contextlib.contextmanager
def mounted(source: Path | str, point: Path, *options: str) -> Iterator[Path]:
    """Mount an image (by a loop device of its own) or a device; unmount at the end."""
    point.mkdir(exist_ok=True)
    loop = () if str(source).startswith("/dev/loop") else ("loop",)
    told = ",".join((*loop, *options))
    call("mount", *(["-o", told] if told else []), str(source), str(point))
    try:
        yield point
    finally:
        unmount(point)


def try_out(place: Path) -> None:
    """Record a mount; LinkError naming the step that this kernel refuses."""
    image = place / "try.img"
    make_ext4(image, _TRY_BYTES)
    with Recorder(image, "try") as recorder, mounted(recorder.device, place / "try"):
        pass


def unmount(point: Path) -> None:
    """Unmount, at once if nobody uses it, else as soon as nobody does."""
    try:
        call("umount", str(point))
    except LinkError:
        call("umount", "-l", str(point))


@contextlib.contextmanager
def loop_device(file: Path) -> Iterator[str]:
    """Attach a loop device to a file."""
    device = call("losetup", "-f", "--show", str(file))
    try:
        yield device
    finally:
        call("losetup", "-d", device)


class Recorder:
    """An image behind a block device that notes every write: `device`, and the log `log_path`.

    By qemu-storage-daemon: its `blklogwrites` over the image, exported as a file through FUSE,
    and a loop device on that file.
    """

    def __init__(self, image: Path, name: str) -> None:
        self.log_path = image.with_suffix(".log")
        self.device = ""
        export = image.with_suffix(".export")
        self.log_path.write_bytes(b"")
        export.write_bytes(b"")
        self._export = export
        # Losing power is played on the log: the machine under it need not flush anything.
        file = "file,cache.no-flush=on,node-name={},filename={}"
        argv = [shutil.which(RECORDER, path=_PATH) or RECORDER]
        argv += ["--blockdev", file.format("image", image)]
        argv += ["--blockdev", file.format("log", self.log_path)]
        argv += ["--blockdev", "blklogwrites,node-name=both,file=image,log=log"]
        argv[-1] += ",log-super-update-interval=1"
        argv += ["--export", f"fuse,id=export,node-name=both,mountpoint={export},writable=on"]
        self.process = Process(name, argv, image.parent)

    def __enter__(self) -> Recorder:
        self.process.start()
        try:
            # An empty file becomes a full one once it is there.
            met = lambda: self._export.stat().st_size > 0  # noqa: E731
            self.process.until(met, "export the disk through FUSE")
            self.device = call("losetup", "-f", "--show", str(self._export))
        except LinkError:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the device; what is in flight is written first."""
        self.process.resume()
        if self.device:
            call("losetup", "-d", self.device)
            self.device = ""
        self.process.stop()
        with contextlib.suppress(LinkError):  # its end unmounted it, unless it was killed
            call("umount", "-l", str(self._export))


def _take_away(top: str) -> None:
    for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
        point = line.split()[1]
        if point.startswith(f"{top}/"):
            with contextlib.suppress(LinkError):
                call("umount", "-l", point)
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(LinkError, OSError):
            if backing.read_text().startswith(f"{top}/"):
                call("losetup", "-d", f"/dev/{backing.parent.parent.name}")
    shutil.rmtree(top, ignore_errors=True)
