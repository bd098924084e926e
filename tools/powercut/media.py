"""Block devices to do harm to: images, loop devices, mounts, and a recorder of block writes.

Needs root, and says which step the kernel refused (LinkError). Leaves nothing behind: what a
killed process of ours left is taken away by the next one.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import functools
import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.core.errors import LinkError
from tools.sim.process import PATH, Process, program

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "tidegate-rig-"
ROOM_BYTES = 512 << 20  # free in memory, or we work on the disk
BLOCK_BYTES = 4096
_SPARE_BYTES = 1 << 20  # of a brittle medium's memory, beside the image
_FIBMAP = 1  # ioctl of linux/fs.h: the block of the device that holds a block of a file
_PUNCH_HOLE = 3  # FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
_TRY_BYTES = 4 << 20
EXPORTER = "qemu-storage-daemon"
PROGRAMS = {
    "mkfs.ext4": "apt-get install e2fsprogs",
    "mount": "apt-get install mount",
    "losetup": "apt-get install mount",
    EXPORTER: "apt-get install qemu-system-common",
}
_MEMORY = Path("/dev/shm")


def missing_program() -> tuple[str, str] | None:
    """Return a program this machine lacks and what brings it, or None."""
    for name, remedy in PROGRAMS.items():
        if program(name) is None:
            return name, remedy
    return None


@functools.cache
def refusal() -> str:
    """Return why no disk can be recorded and mounted here, "" if one was."""
    if os.geteuid() != 0:
        return "only root may mount"
    lacking = missing_program()
    if lacking:
        return f"{lacking[0]} is missing: {lacking[1]}"
    try:
        with workplace() as place:
            make_ext4(place / "try.img", _TRY_BYTES)
            with Exported(place / "try.img", "try", recorded=True) as disk:
                with mounted(disk.device, place / "try"):
                    return ""
    except LinkError as error:
        return f"the kernel refuses: {error}"


def call(*argv: str) -> str:
    """Run a program and return what it prints; LinkError with what it complains of."""
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, env={**os.environ, "PATH": PATH}, check=False
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


def unmount(point: Path) -> None:
    """Unmount, at once if nobody uses it, else as soon as nobody does."""
    try:
        call("umount", str(point))
    except LinkError:
        call("umount", "-l", str(point))


class Exported:
    """An image behind a block device `device`; if `recorded`, every write is noted in `log_path`.

    By qemu-storage-daemon, which exports the image as a file through FUSE, `blklogwrites` between
    if asked for, and a loop device on that file. (A loop device on the image itself would call a
    write that found room for half of itself a success.)
    """

    def __init__(self, image: Path, name: str, recorded: bool = False) -> None:
        self.log_path = image.with_suffix(".log")
        self.device = ""
        self._export = image.with_suffix(".export")
        self._export.write_bytes(b"")
        # What power cuts take is played on the log: the machine under it need not flush anything.
        file = "file,cache.no-flush=on,node-name={},filename={}"
        argv = [program(EXPORTER) or EXPORTER]
        argv += ["--blockdev", file.format("image", image)]
        if recorded:
            self.log_path.write_bytes(b"")
            argv += ["--blockdev", file.format("log", self.log_path)]
            argv += ["--blockdev", "blklogwrites,node-name=top,file=image,log=log"]
            argv[-1] += ",log-super-update-interval=1"
        node = "top" if recorded else "image"
        argv += ["--export", f"fuse,id=export,node-name={node},mountpoint={self._export}"]
        argv[-1] += ",writable=on"
        self.process = Process(name, argv, image.parent)

    def __enter__(self) -> Exported:
        self.process.start()
        try:
            # An empty file becomes a full one once it is there.
            met = lambda: self._export.stat().st_size > 0  # noqa: E731
            self.process.until(met, "export the disk through FUSE")
            self.device = call("losetup", "-f", "--show", str(self._export))
        except LinkError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.process.resume()
        if self.device:
            call("losetup", "-d", self.device)
            self.device = ""
        self.process.stop()
        with contextlib.suppress(LinkError):  # its end unmounted it, unless it was killed
            call("umount", "-l", str(self._export))


class Brittle:
    """An ext4 whose unwritten blocks can be made to fail: writing them is an error from then on.

    The image lies on a small tmpfs of its own. What was written keeps its pages; the zeros are
    given back and the tmpfs is filled, so that there is no page for anything new.
    """

    def __init__(self, place: Path, size_bytes: int) -> None:
        self.point = place / "mnt"
        self.device = ""
        self._memory = place / "memory"
        self._image = self._memory / "disk.img"
        self._filler = self._memory / "filler"
        self._size_bytes = size_bytes
        self._stack = contextlib.ExitStack()  # the tmpfs
        self._upper = contextlib.ExitStack()  # what lies above it

    def __enter__(self) -> Brittle:
        self._memory.mkdir()
        room = self._size_bytes + _SPARE_BYTES
        call("mount", "-t", "tmpfs", "-o", f"size={room}", "tmpfs", str(self._memory))
        self._stack.callback(unmount, self._memory)
        try:
            make_ext4(self._image, self._size_bytes, "-J", "size=4")
            self._image.write_bytes(self._image.read_bytes())  # a page for every zero, too
            self._mount()
        except LinkError:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._upper.close()
        self._stack.close()

    def fail(self, file: Path | None = None) -> None:
        """From now on what was never written fails, or only what is in `file`.

        Nobody may write meanwhile.
        """
        call("sync", "-f", str(self.point))
        with self._image.open("r+b") as image:
            places = _blocks(file) if file else range(0, self._size_bytes, BLOCK_BYTES)
            for at in places:
                if os.pread(image.fileno(), BLOCK_BYTES, at) == bytes(BLOCK_BYTES):
                    _punch(image.fileno(), at)
        with self._filler.open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while filler.write(bytes(BLOCK_BYTES)):
                pass

    def again(self) -> None:
        """Put a good medium with the same bytes in its place: nothing is cached any more."""
        self._upper.close()
        self._filler.unlink(missing_ok=True)
        _repair(self._image)
        self._mount()

    def _mount(self) -> None:
        with self._upper as upper:
            self.device = upper.enter_context(Exported(self._image, "exporter")).device
            upper.enter_context(mounted(self.device, self.point, "errors=remount-ro"))
            self._upper = upper.pop_all()


def _repair(image: Path) -> None:
    """Check a file system as a boot does; LinkError if it cannot be made good."""
    argv = [program("e2fsck") or "e2fsck", "-p", str(image)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode > 1:  # 1: errors were corrected
        raise LinkError(f"e2fsck: {done.stdout.strip()}")


def _blocks(file: Path) -> list[int]:
    """Return where on its device the blocks of a file lie, in bytes."""
    found = []
    with file.open("rb") as opened:
        for number in range(file.stat().st_size // BLOCK_BYTES):
            told = fcntl.ioctl(opened.fileno(), _FIBMAP, struct.pack("=i", number))
            found.append(struct.unpack("=i", told)[0] * BLOCK_BYTES)
    return found


def _punch(descriptor: int, at: int) -> None:
    if _LIBC.fallocate(descriptor, _PUNCH_HOLE, at, BLOCK_BYTES) != 0:
        raise LinkError(f"fallocate: {os.strerror(ctypes.get_errno())}")


def _take_away(top: str) -> None:
    devices = loops(top)  # asked first: below a mount that is gone a file has no path
    for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
        point = line.split()[1]
        if point.startswith(f"{top}/"):
            with contextlib.suppress(LinkError):
                call("umount", "-l", point)
    for device in devices:
        with contextlib.suppress(LinkError):  # those that mount made are gone with the mount
            call("losetup", "-d", device)
    shutil.rmtree(top, ignore_errors=True)


def loops(top: str) -> list[str]:
    """Return the loop devices whose files lie below `top`."""
    found = []
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):
            if backing.read_text().startswith(f"{top}/"):
                found.append(f"/dev/{backing.parent.parent.name}")
    return found
