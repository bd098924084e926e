"""Reads SunSpec information models (JSON, as the SunSpec Alliance publishes them).

A model has no address of its own: devices string models together behind the mark "SunS". So a
chain of models is laid out from a base, as the device has it, and becomes one draft. Model data
come from files that the user names, or from an installed pysunspec2; none are in this project.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.profile.folded import CHANNELS_MAX
from gateway.core.errors import ConfigError
from tools.profile.importing import foreign
from tools.profile.importing.draft import Draft, Entry, identifier, one_line
from tools.profile.importing.sunspec_point import (
    factor_keys,
    guess,
    listed,
    named,
    notes,
    point_keys,
    registers,
)

if TYPE_CHECKING:
    from typing import Any

BASE = 40000  # where most devices have the mark; the specification also allows 0 and 50000
MARK = 0x53756E53  # "SunS"
COMMON_LENGTH = 68  # registers of model 1, which comes first in every device
REPEAT = 4  # copies of a repeated block; the ones a device lacks do not exist for it
LICENCE = "SunSpec Alliance, Apache-2.0"

_FAMILIES = (
    (range(101, 114), "inverter"),
    (range(201, 215), "meter"),
    (range(801, 810), "battery"),
)
_KINDS = {"inverter": "pv_inverter", "meter": "electricity_meter", "battery": "battery"}


def read(
    sources: list[str], base: int = BASE, at: int | None = None, repeat: int = REPEAT
) -> Draft:
    """Return the draft of a chain of models: file names, or sunspec:N[,N…] from pysunspec2.

    `base` is the register of the mark, `at` that of the first model's ID if it is not where
    the chain says.
    """
    models = []
    for source in sources:
        models += [read_model(path) for path in _paths(source)]
    draft = Draft(", ".join(sources))
    reader = _Reader(draft, repeat, len([one for one in models if one.number != 1]) > 1)
    place = base + 2 if at is None else at
    if at is None and models[0].number != 1:
        place += COMMON_LENGTH
    for before in models[:-1]:
        if before.open_ended:
            raise ConfigError(
                f"{before.path}: the device says how long model {before.number} is: name it last, "
                "and give what follows it a draft of its own, with --at"
            )
    for model in models:
        reader.model(model, place)
        place += model.length
    reader.finish(base if at is None else None)
    numbers = " + ".join(str(one.number) for one in models)
    names = [one.name for one in models if one.number != 1] or [models[0].name]
    draft.name = f"SunSpec {names[0]} (model {numbers})"
    draft.origin = [f"Source: SunSpec information model {numbers} ({LICENCE})."]
    draft.kind = next((_KINDS[one.family] for one in models if one.family in _KINDS), "")
    return draft


def looks_like(text: str) -> bool:
    """Return whether a text may be a SunSpec model."""
    return text.lstrip()[:1] == "{" and '"group"' in text and '"points"' in text


def models_folder() -> Path:
    """Return where an installed pysunspec2 keeps its models; ConfigError without one."""
    found = importlib.util.find_spec("sunspec2")
    if found is None or not found.submodule_search_locations:
        raise ConfigError("sunspec:N needs the models of pysunspec2: pip install pysunspec2")
    return Path(found.submodule_search_locations[0]) / "models" / "json"


class _Model:
    """One model file: its `number`, `name`, `group`, `family` and `length` in registers."""

    def __init__(self, number: int, group: dict[str, Any], text: str, path: str) -> None:
        self.number = number
        self.path = path
        self.group = group
        self.name = one_line(str(group.get("label") or group.get("name") or ""))
        self.length = _size(group) + sum(_size(one) for one in _single(group))
        self.family = next((name for numbers, name in _FAMILIES if number in numbers), "")
        if not self.family:
            self.family = identifier(str(group.get("name", ""))) or f"model_{number}"
        self.factors: dict[str, str] = {}  # scale factor to the channel that holds it
        self._lines = text.splitlines()
        self._line = 0

    @property
    def open_ended(self) -> bool:
        """Whether blocks follow of which every device has a number of its own."""
        return len(_single(self.group)) < len(listed(self.group.get("groups")))

    def line(self, name: str) -> int:
        """Return the line of the next point of that name, 0 if there is none."""
        wanted = f'"name": "{name}"'
        for at in [*range(self._line, len(self._lines)), *range(self._line)]:
            if wanted in self._lines[at]:
                self._line = at + 1
                return self._line
        return 0


class _Reader:
    def __init__(self, draft: Draft, repeat: int, many: bool) -> None:
        self._draft = draft
        self._repeat = repeat
        self._many = many
        self._checks: list[str] = []
        self._size = 0  # channels with every copy counted

    def model(self, model: _Model, place: int) -> None:
        """Add the channels of one model whose ID register stands at `place`."""
        prefix = f"{model.family}_" if self._many and model.number != 1 else ""
        key = self._hidden(f"model_{model.number}", {"at": place})
        self._checks.append(f"{key} == {model.number}")
        singles = _single(model.group)
        used = {str(one.get("sf")) for one in _all_points(model.group)}
        at = place
        for group in (model.group, *singles):
            for point in listed(group.get("points")):
                if point.get("type") == "sunssf" and str(point.get("name")) in used:
                    self._factor(model, point, prefix, at)
                at += registers(point)
        at = place
        for group in (model.group, *singles):
            inner = prefix if group is model.group else f"{prefix}{group.get('name', '')}_"
            at = self._points(model, group, at, inner, self._draft, "")
        for group in listed(model.group.get("groups")):
            if group not in singles:
                at = self._repeated(model, group, prefix, place, at)
            for one in listed(group.get("groups")):
                self._lost_group(model, one)

    def finish(self, base: int | None) -> None:
        """Say how the device is recognised; `base`: where its mark stands, if that is known."""
        if base is not None:
            key = self._hidden("sunspec", {"at": base, "type": "u32"})
            self._draft.channels.insert(0, self._draft.channels.pop())
            self._checks.insert(0, f"{key} == 0x{MARK:X}")
        self._draft.identify = " and ".join(self._checks)

    def _points(
        self,
        model: _Model,
        group: dict[str, Any],
        at: int,
        prefix: str,
        draft: Draft,
        condition: str,
    ) -> int:
        """Add the points of a group to `draft`; return the register behind it."""
        for point in listed(group.get("points")):
            kind, name = str(point.get("type", "")), str(point.get("name", ""))
            if kind not in ("pad", "sunssf") and name not in ("ID", "L"):
                line = model.line(name)
                keys, reason = point_keys(point, at, model.factors)
                for told in notes(point, keys):
                    draft.lose(line, name, told, False, model.path)
                if condition:
                    keys["if"] = condition
                if reason or not self._room():
                    told = reason or f"a profile holds at most {CHANNELS_MAX} channels"
                    draft.lose(line, name, told, True, model.path)
                else:
                    entry = draft.add(f"{prefix}{named(point)}", keys, line)
                    guess(entry, model.family, point)
            at += registers(point)
        return at

    def _repeated(
        self, model: _Model, group: dict[str, Any], prefix: str, place: int, at: int
    ) -> int:
        """Add a block of which a device has several; return the register behind those sure."""
        step, name = _size(group), str(group.get("name", "block"))
        points = listed(group.get("points"))
        copies = group.get("count")
        repeat = min(self._repeat, (CHANNELS_MAX - self._size - 2) // max(len(points), 1))
        if repeat < 1 or not step:
            self._lost_group(model, group)
            return at
        if isinstance(copies, int) and copies > 0:
            counter, repeat = "", min(repeat, copies)
        elif isinstance(copies, str):
            counter = self._hidden(f"{prefix}{name}_count", {"at": _where(model, copies, place)})
        else:
            length = self._hidden(f"{prefix}{name}_length", {"at": place + 1})
            counter = f"({length} - {at - place - 2}) // {step}"
        block = Draft(self._draft.source)
        for point in points:
            if point.get("type") == "sunssf":
                model.factors[str(point.get("name"))] = identifier(str(point.get("name")))
                block.add(str(point.get("name")), factor_keys(_offset(points, point)), 0)
        condition = f"{counter} >= #" if counter and repeat > 1 else ""
        self._points(model, group, 0, "", block, condition)
        self._draft.losses += block.losses
        key = identifier(f"{prefix}{name}")
        inner = Entry(f"{key}[1..{repeat}]" if repeat > 1 else key, {"at": at, "step": step})
        if repeat == 1:
            del inner.keys["step"]
        inner.inner = block.channels
        if inner.inner:
            self._draft.channels.append(inner)
            self._size += (repeat - 1) * len(inner.inner)
        return at

    def _lost_group(self, model: _Model, group: dict[str, Any]) -> None:
        for point in _all_points(group):
            name = str(point.get("name", ""))
            if point.get("type") not in ("pad", "sunssf"):
                reason = "a block inside a repeated block"
                self._draft.lose(model.line(name), name, reason, True, model.path)

    def _factor(self, model: _Model, point: dict[str, Any], prefix: str, at: int) -> None:
        name = str(point.get("name", ""))
        model.factors[name] = self._hidden(
            f"{prefix}{identifier(name)}", {**factor_keys(at), "every": ""}
        )

    def _hidden(self, name: str, keys: dict[str, Any]) -> str:
        self._size += 1
        return self._draft.add(name, {"every": "once", **keys, "hidden": True}, 0).id

    def _room(self) -> bool:
        self._size += 1
        return self._size <= CHANNELS_MAX


def _where(model: _Model, name: str, place: int) -> int:
    points = listed(model.group.get("points"))
    wanted = next((one for one in points if one.get("name") == name), points[0] if points else {})
    return place + _offset(points, wanted)


def _offset(points: list[dict[str, Any]], wanted: dict[str, Any]) -> int:
    return sum(registers(one) for one in points[: points.index(wanted)]) if points else 0


def _size(group: dict[str, Any]) -> int:
    return sum(registers(one) for one in listed(group.get("points")))


def _single(group: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the blocks that a model always has once, which are only there to give names."""
    return [one for one in listed(group.get("groups")) if one.get("count", 1) == 1]


def _all_points(group: dict[str, Any]) -> list[dict[str, Any]]:
    found = listed(group.get("points"))
    for one in listed(group.get("groups")):
        found = found + _all_points(one)
    return found


def _paths(source: str) -> list[Path]:
    word, colon, numbers = source.partition(":")
    if word != "sunspec" or not colon:
        return [Path(source)]
    chosen = [one.strip() for one in numbers.split(",")]
    if not all(one.isdigit() for one in chosen):
        raise ConfigError(f"{source}: write the numbers of models, such as sunspec:1,103")
    paths = [models_folder() / f"model_{int(one)}.json" for one in chosen]
    missing = [path.stem for path in paths if not path.is_file()]
    if missing:
        raise ConfigError(f"{source}: pysunspec2 has no {', '.join(missing)}")
    return paths


def read_model(path: Path) -> _Model:
    """Return one model file; ConfigError if it is none."""
    text = foreign.read_text(path)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not JSON: {error}")
    group = found.get("group") if isinstance(found, dict) else None
    number = found.get("id") if isinstance(found, dict) else None
    points = listed(group.get("points")) if isinstance(group, dict) else []
    if not isinstance(number, int) or not 0 <= number <= 0xFFFF or not points:
        raise ConfigError(f"{path}: no SunSpec model: it has no id or no group with points")
    assert isinstance(group, dict)
    return _Model(number, group, text, str(path))
