"""One line per event: when something is lost, and when it is back. Never one per poll."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

INFO = 6  # syslog severities (RFC 5424 §6.2.1), which systemd reads from a "<6>" prefix
WARNING = 4
ERROR = 3

_prefixed: list[bool] = [False]


def to_journal(on: bool) -> None:
    """Prefix each line with its severity, as systemd's journal expects."""
    _prefixed[0] = on


def event(severity: int, name: str, **fields: Any) -> None:
    """Write `name key=value …` as one line to standard error."""
    text = " ".join([name] + [f"{key}={_shown(fields[key])}" for key in sorted(fields)])
    print(f"<{severity}>{text}" if _prefixed[0] else text, file=sys.stderr)


class Presence:
    """Says once that a thing is lost and once that it is back.

    Of one loss, up to `causes_max` causes (the words before a colon) are told, each once.
    """

    def __init__(self, name: str, causes_max: int = 1) -> None:
        self._name = name
        self._causes_max = causes_max
        self._causes: list[str] = []
        self._lost_at_ms: int | None = None
        self._missed = 0

    @property
    def lost(self) -> bool:
        return self._lost_at_ms is not None

    def lose(self, why: str, now_ms: int) -> None:
        """Count a miss; the first after a success is written, and the first of another cause."""
        self._missed += 1
        if self._lost_at_ms is None:
            self._lost_at_ms = now_ms
            self._causes = []
        cause = why.split(":", 1)[0]
        if cause not in self._causes and len(self._causes) < self._causes_max:
            self._causes.append(cause)
            event(WARNING, "lost", what=self._name, why=why)

    def find(self, now_ms: int) -> None:
        """Note a success; the first after a miss is written, with what was missed meanwhile."""
        if self._lost_at_ms is not None:
            away_ms = now_ms - self._lost_at_ms
            event(INFO, "back", what=self._name, after_ms=away_ms, missed=self._missed)
        self._lost_at_ms = None
        self._missed = 0


def _shown(value: Any) -> str:
    # What brokers and devices say ends up here: it must not begin a line, or a field, of its own.
    text = "".join([_tame(letter) for letter in str(value)])
    return f'"{text}"' if not text or " " in text or "=" in text else text


def _tame(letter: str) -> str:
    if letter < " " or "\x7f" <= letter < "\xa0" or letter in "\u2028\u2029":
        return "·"
    return "'" if letter == '"' else letter
