"""What the house tests look at: our sources, their imports, their sizes."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent.parent
OURS = ("gateway", "drivers", "tools", "tests")

# A room and the rooms of ours it may import, besides itself. The longest matching name counts.
ROOMS: dict[str, tuple[str, ...]] = {
    "gateway.core": (),
    "drivers.protocol": ("gateway.core",),
    "drivers.profile": ("gateway.core",),
    "drivers.profile.plan": ("gateway.core", "drivers.profile", "drivers.protocol"),
    "drivers.transport": ("gateway.core",),
    "drivers": ("gateway.core", "drivers.protocol", "drivers.profile", "drivers.transport"),
    "gateway.buffer": ("gateway.core",),
    "gateway.uplink": ("gateway.core",),
    "gateway.pipeline": ("gateway.core",),
    "gateway.poll": ("gateway.core",),
    "gateway.health": ("gateway.core",),
    "gateway.site": ("gateway.core",),
    "gateway.site_cpython": ("gateway.core", "gateway.site"),
    "gateway.systemd_cpython": (),
    "gateway.agent": ("gateway", "drivers"),
    "gateway.__main__": ("gateway", "drivers"),
    "gateway": ("gateway",),
    "tools": OURS[:3],
    "tests": OURS,
}

PORTABLE_IMPORTS = {
    *("asyncio", "binascii", "collections", "errno", "gc", "hashlib", "heapq", "io", "json"),
    *("math", "os", "random", "re", "select", "socket", "ssl", "struct", "sys", "time", "array"),
    *("__future__", "typing"),
}
HEAVY = {"bleak", "paho", "serial", "yaml"}


def sources(*tops: str) -> list[Path]:
    """Return our Python files below the folders named, in order."""
    files = [path for top in tops for path in (ROOT / top).rglob("*.py")]
    return sorted(path for path in files if "micropython/lib" not in path.as_posix())


def portable_sources() -> list[Path]:
    """Return the files that must run unchanged on both Pythons."""
    return [
        path
        for path in sources("gateway", "drivers")
        if not path.stem.endswith("_cpython") and path.name not in {"__main__.py", "site.py"}
    ]


def module(path: Path) -> str:
    """Return the dotted name of a file of ours."""
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


def room(name: str) -> str:
    """Return the room a module of ours belongs to."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        if ".".join(parts[:end]) in ROOMS:
            return ".".join(parts[:end])
    return parts[0]


def imports(path: Path) -> Iterator[tuple[str, int, bool]]:
    """Yield (module, line, whether it is imported when the file is) for each import."""
    tree = ast.parse(path.read_text())
    for node, lazy in _walk(tree, lazy=False):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno, not lazy
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            for alias in node.names:
                joined = f"{base}.{alias.name}"
                yield joined if _is_module(joined) else base, node.lineno, not lazy


def _is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or path.is_dir()


def _walk(node: ast.AST, *, lazy: bool) -> Iterator[tuple[ast.AST, bool]]:
    for child in ast.iter_child_nodes(node):
        inside = lazy or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child, inside
        yield from _walk(child, lazy=inside)
