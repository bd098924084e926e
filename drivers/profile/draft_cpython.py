"""One channel on its way from the file to its compiled row. Knows no rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.source_cpython import Node

if TYPE_CHECKING:
    from typing import Any

    from drivers.profile.names_cpython import Pattern


class Group:
    """A repeated group: `index` in the compiled list or -1, folded id, suffixes, base address."""

    def __init__(self, index: int, folded: str, suffixes: list[str], at: int, step: int) -> None:
        self.index = index
        self.folded = folded
        self.suffixes = suffixes
        self.at = at
        self.step = step


class Draft:
    """One channel, or one alternative of it: as written, its `keys` read, its compiled `row`.

    `table` is what `in` names, `base` and `size` the type, `count` the registers, bytes or columns.
    """

    def __init__(self, key: Node, node: Node, made: Pattern, group: Group | None) -> None:
        self.key = key
        self.node = node
        self.made = made
        self.group = group
        self.keys: dict[str, Any] = {}
        self.row: dict[str, Any] = {}
        self.table = ""
        self.base = ""
        self.size = 0
        self.count = 0

    @property
    def folded(self) -> str:
        own = self.made.folded
        return f"{self.group.folded}.{own}" if self.group else own

    @property
    def groups(self) -> list[str]:
        return self.group.suffixes if self.group else [""]

    @property
    def placed(self) -> bool:
        """Whether the value stands somewhere, and is not derived from others."""
        return "at" in self.keys

    @property
    def by_steps(self) -> bool:
        """Whether this is a command without a place of its own, only steps that write elsewhere."""
        node = self.keys.get("write")
        return not self.placed and isinstance(node, Node) and node.get("steps") is not None

    def place(self, key: str) -> Node:
        """Return where the value of `key` stands, or the channel's own key."""
        return self.node.get(key) or self.key
