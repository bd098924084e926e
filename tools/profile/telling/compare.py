"""Two versions of a profile: what is another for who reads the device's data, and how grave it is.

Knows the facts of compiled profiles; prints nothing and opens no file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tools.profile.telling import facts
from tools.profile.telling.formula import infix

if TYPE_CHECKING:
    from typing import Any

    from gateway.core.decimal import Decimal
    from tools.profile.given import Given
    from tools.profile.telling.facts import Facts, Told

NONE, PATCH, MINOR, MAJOR = "none", "patch", "minor", "major"
LEVELS = (NONE, PATCH, MINOR, MAJOR)

# Why each level is what it is (semver.org, the readers of the data being the users of an API).
MEANING = {
    NONE: "the platform sees no difference",
    PATCH: "the same points with the same numbers",
    MINOR: "something is new, or a number may differ from what was sent before",
    MAJOR: "who reads the data, or runs a site, must change something",
}
# What changes how a value is found; the rest of a row decides only whether there is one, and when.
_PLACE_KEYS = ("in", "at", "type", "order", "bits", "match", "calc")
_NUMBER_KEYS = (*_PLACE_KEYS, "scale", "offset", "map", "flags", "to")
_SEEN_KEYS = ("unit", "kind", "every", "write")  # told once, whatever the alternatives say
_DEFAULTS = {"scale": 1, "offset": 0, "to": [0, 1, 1]}
_QUIET_KEYS = ("name", "maker", "identify", "max", "gap")


@dataclass(frozen=True, slots=True)
class Change:
    """`what` of `subject` (a channel, a setting, or "") was `old` and is `new`, None if absent."""

    level: str
    subject: str
    what: str
    old: Any
    new: Any

    @property
    def text(self) -> str:
        """The change without its subject."""
        if self.old is None or self.new is None:
            return (
                f"{self.what} {_shown(self.what, self.new if self.old is None else self.old)} "
                + ("is new" if self.old is None else "is gone")
            )
        return f"{self.what} {_shown(self.what, self.old)} → {_shown(self.what, self.new)}"


@dataclass(slots=True)
class Comparison:
    """What differs, in the order of the profiles. `renamed` holds (old id, new id) candidates."""

    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    verdict: str = NONE


def compare(old: Given, new: Given) -> Comparison:
    """Return how `new` differs from `old`."""
    found = Comparison()
    before, after = facts.channels(old), facts.channels(new)
    found.added = [name for name in after if name not in before]
    found.removed = [name for name in before if name not in after]
    found.renamed = _renamed(found, before, after)
    for name in before:
        if name in after:
            found.changes += _channel(name, before[name], after[name])
    found.changes += _settings(old.document, new.document)
    found.changes += _whole(old.document, new.document)
    _judge(found, old.profile.digest != new.profile.digest)
    return found


def _judge(found: Comparison, differs: bool) -> None:
    reasons = [(MAJOR, f"{name} is gone") for name in found.removed]
    reasons += [(MINOR, f"{name} is new") for name in found.added]
    reasons += [
        (one.level, f"{one.subject}: {one.text}" if one.subject else one.text)
        for one in found.changes
    ]
    if differs and not reasons:
        reasons.append((PATCH, "what is hidden, or written to the device, is another"))
    levels = [level for level, _ in reasons]
    found.verdict = max(levels, key=LEVELS.index, default=NONE)
    found.reasons = [text for level, text in reasons if level == found.verdict]


def _renamed(
    found: Comparison, before: dict[str, Told], after: dict[str, Told]
) -> list[tuple[str, str]]:
    pairs = []
    free = list(found.added)
    for name in found.removed:
        same = [other for other in free if _same_place(before[name], after[other])]
        if len(same) == 1:
            pairs.append((name, same[0]))
            free.remove(same[0])
    return pairs


def _same_place(one: Told, other: Told) -> bool:
    places = [[[way.get(key) for key in _PLACE_KEYS] for way in told.ways] for told in (one, other)]
    return places[0] == places[1]


def _channel(name: str, old: Told, new: Told) -> list[Change]:
    found = []
    for key in ("value", "unit", "kind"):
        found += _if_other(MAJOR, name, key, old.seen.get(key), new.seen.get(key))
    words = [set(told.seen["words"]) for told in (old, new)]
    found += [Change(MAJOR, name, "word", word, None) for word in sorted(words[0] - words[1])]
    found += [Change(MINOR, name, "word", None, word) for word in sorted(words[1] - words[0])]
    before, after = old.seen.get("every"), new.seen.get("every")
    # What is off until a site asks for it has left the platform, and comes back to it as new.
    level = MAJOR if after == "never" else MINOR if before == "never" else PATCH
    found += _if_other(level, name, "every", before, after)
    found += _write(name, old.seen.get("write"), new.seen.get("write"))
    if len(old.ways) != len(new.ways):
        found.append(Change(MINOR, name, "alternatives", len(old.ways), len(new.ways)))
        return found
    for number, (way, other) in enumerate(zip(old.ways, new.ways, strict=True), 1):
        prefix = f"alternative {number}: " if len(old.ways) > 1 else ""
        for key in sorted({*way, *other} - set(_SEEN_KEYS)):
            level = MINOR if key in _NUMBER_KEYS else PATCH
            found += _if_other(level, name, prefix + key, *_defaulted(key, way, other))
    return found


def _defaulted(key: str, old: Facts, new: Facts) -> tuple[Any, Any]:
    default = _DEFAULTS.get(key)
    return old.get(key, default), new.get(key, default)


def _write(name: str, old: Facts | None, new: Facts | None) -> list[Change]:
    if old is None or new is None:
        return _if_other(MAJOR if new is None else MINOR, name, "write", old, new)
    found = []
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        level = PATCH
        if key == "only":
            level = MAJOR
        elif key in ("min", "max"):
            level = _limit(key, before, after)
        found += _if_other(level, name, f"write {key}", before, after)
    return found


def _limit(key: str, old: Any, new: Any) -> str:
    """A narrower limit refuses what was taken before."""
    if new is None:
        return MINOR
    narrower = old is None or ((float(new) > float(old)) == (key == "min"))
    return MAJOR if narrower else MINOR


def _settings(old: Facts, new: Facts) -> list[Change]:
    before, after = ({one["id"]: one for one in each.get("settings", [])} for each in (old, new))
    found = [
        Change(MAJOR, f"setting {name}", "it", name, None) for name in before if name not in after
    ]
    for name, row in after.items():
        subject = f"setting {name}"
        if name not in before:
            needed = "default" not in row and not row.get("secret")
            found.append(Change(MAJOR if needed else MINOR, subject, "it", None, name))
            continue
        for key in sorted({*row, *before[name]}):
            one, other = before[name].get(key), row.get(key)
            level = _choice(key, one, other)
            found += _if_other(level, subject, key, one, other)
    return found


def _choice(key: str, old: Any, new: Any) -> str:
    """What a site has chosen may be refused now, or it has to choose."""
    if key in ("min", "max"):
        return _limit(key, old, new)
    if key == "map":
        kept = old and new and set(old.values()) <= set(new.values())
        return MINOR if kept else MAJOR
    return MAJOR if key == "default" and new is None else MINOR


def _whole(old: Facts, new: Facts) -> list[Change]:
    found = _messages(old.get("messages", []), new.get("messages", []))
    apart = ("channels", "groups", "settings", "messages", "every", "tidegate")
    for key in sorted({*old, *new}.difference(apart)):
        level = MAJOR if key == "bus" else PATCH if key in _QUIET_KEYS else MINOR
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            found += _keys(level, "", before, after)
        else:
            found += _if_other(level, "", key, before, after)
    return found


def _messages(old: list[Facts], new: list[Facts]) -> list[Change]:
    before, after = ({row["id"]: row for row in rows} for rows in (old, new))
    found = []
    for name in sorted({*before, *after}):
        subject = f"message {name}" if name else "the message"
        if name in before and name in after:
            found += _keys(MINOR, subject, before[name], after[name])
        else:
            found += _if_other(MINOR, subject, "it", before.get(name), after.get(name))
    return found


def _keys(level: str, subject: str, old: Facts, new: Facts) -> list[Change]:
    keys = sorted({*old, *new})
    return [
        one for key in keys for one in _if_other(level, subject, key, old.get(key), new.get(key))
    ]


def _if_other(level: str, subject: str, what: str, old: Any, new: Any) -> list[Change]:
    return [] if old == new else [Change(level, subject, what, old, new)]


def _conversion(plus: int | Decimal, times: int | Decimal, by: int | Decimal) -> str:
    """Show what makes the unit sent of the value as the profile has it."""
    text = "value"
    if plus:
        text += f" {'-' if float(plus) < 0 else '+'} {str(plus).lstrip('-')}"
    if (times, by) == (1, 1):
        return text
    text = f"({text})" if plus else text
    return text + (f" × {times}" if times != 1 else "") + (f" / {by}" if by != 1 else "")


def _shown(what: str, value: Any) -> str:
    if what == "identify":
        return infix(value)
    if isinstance(value, dict):
        inner = ", ".join(f"{key}: {_shown('', one)}" for key, one in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list):
        if what == "to":
            return _conversion(*value)
        if what == "valid":
            low, high = ("" if end is None else str(end) for end in value)
            return f"{low}..{high}"
        return f"[{', '.join(_shown('', one) for one in value)}]"
    if isinstance(value, bytes):
        return value.hex(" ").upper()
    return str(value).lower() if isinstance(value, bool) else str(value)
