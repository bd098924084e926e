"""A draft from answers: what a person is asked about a device, and what is made of it.

Knows which keys are worth a question and the forms of their values; knows no terminal: answers
come from a function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profile import form_cpython, schema
from drivers.profile.names_cpython import pattern
from drivers.profile.values_cpython import BAD
from gateway.core.errors import ConfigError
from gateway.core.source_cpython import LIST, MAP, SCALAR, Node, load_source
from tools.profile.importing import kinds
from tools.profile.importing.draft import Draft, Entry

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from drivers.profile.schema_bus import Table

_PROFILE = ("name", "maker", "models", "docs", "kind", "every")
_LINE = ("baud", "parity")
_BUS = {
    "modbus": (*_LINE, "unit"),
    "serial": (*_LINE, "as", "ask", "start", "length", "end", "check", "split"),
    "ble": ("manufacturer", "service", "start", "length"),
    "driver": ("use",),
}
_CHANNEL = {
    "modbus": ("at", "in", "type", "scale", "unit"),
    "serial": ("at", "type", "scale", "unit"),
    "ble": ("at", "type", "scale", "unit"),
    "driver": ("at", "in", "type", "scale", "unit"),
}
_OTHER_CHANNEL = ("in", "type", "scale", "unit")
# Forms whose answers are numbers or truths; all others are texts, however they look.
_VALUES = ("int", "number", "yes", "one", "raws", "length", "bits", "company")
_FRAMES_MAX = 20


class Answers:
    """Asks, checks each answer by its form, and asks again if `again` takes the objection.

    `ask(prompt)` returns one line, and raises EOFError when there is no more.
    """

    def __init__(self, ask: Callable[[str], str], again: Callable[[str], None] | None) -> None:
        self._ask = ask
        self._again = again
        self._ended = False

    def line(self, prompt: str) -> str:
        """Return one answer as it is, "" where the answers end."""
        if self._ended:
            return ""
        try:
            return self._ask(prompt).strip()
        except EOFError:
            self._ended = True  # a terminal would go on after Ctrl-D
            return ""

    def object(self, error: ConfigError) -> None:
        """Say what is wrong with an answer before it is asked for again; or raise the error."""
        if self._again is None:
            raise error
        self._again(str(error))

    def value(self, key: str, form: str, purpose: str) -> Any:
        """Return the value for a key as an importer's draft holds it, "" for no answer."""
        while True:
            answer = self.line(f"{key} ({purpose}): ")
            if not answer:
                return ""
            try:
                return checked(key, form, answer)
            except ConfigError as error:
                self.object(error)


def checked(key: str, form: str, answer: str) -> Any:
    """Return an answer as a value of the form; ConfigError that shows what is wrong with it."""
    word = form.partition(" ")[0]
    if word == "texts":
        return [part.strip() for part in answer.split(",") if part.strip()]
    if word in ("text", "title"):
        return answer
    source = load_source(f"{key}: {answer}", "answer")
    node = source.root.get(key) if source.root else None
    if node is not None and form_cpython.by_form(node, form, source.report) is BAD:
        node = None
    source.report.require()
    if node is None:
        raise ConfigError(f"{key}: {answer!r} cannot be read")
    return _plain(node, word in _VALUES)


def asked(answers: Answers) -> Draft:
    """Return a draft made of the answers; its frames are asked for when it is complete."""
    draft = Draft("answers")
    for key, form, purpose in _rows(schema.PROFILE, _PROFILE):
        value = answers.value(key, form, purpose)
        if value:
            setattr(draft, key, value)
    draft.section = answers.value("bus", f"one {' '.join(schema.BUSES)}", "modbus if absent")
    draft.section = draft.section or "modbus"
    table = schema.SECTIONS[draft.section]
    for key, form, purpose in _rows(table, _BUS.get(draft.section, _LINE)):
        value = answers.value(key, form, purpose)
        if value != "":
            draft.bus[key] = value
    while _channel(answers, draft):
        pass
    return draft


def frames(answers: Answers, objection: Callable[[list[str]], str]) -> list[list[str]]:
    """Return the frames that were pasted: request and answer, or a frame alone.

    `objection` says what is wrong with one, "" if nothing is: then it is asked for again.
    """
    found: list[list[str]] = []
    while len(found) < _FRAMES_MAX:
        sent = answers.line("request as on the wire (empty if there is none): ")
        received = answers.line("what the device sends (empty if that was the last): ")
        if not received:
            break
        frame = [sent, received] if sent else [received]
        wrong = objection(frame)
        if wrong:
            answers.object(ConfigError(wrong))
        else:
            found.append(frame)
    return found


def _channel(answers: Answers, draft: Draft) -> bool:
    """Ask for one channel; return whether there was one."""
    name = _id(answers, [one.id for one in draft.channels])
    if not name:
        return False
    keys = _CHANNEL.get(draft.section, _OTHER_CHANNEL)
    found = {
        key: answers.value(key, form, purpose) for key, form, purpose in _rows(schema.CHANNEL, keys)
    }
    entry = Entry(name, {key: value for key, value in found.items() if value != ""})
    draft.channels.append(entry)
    if draft.section == "modbus":
        kinds.guess(entry)
    return True


def _id(answers: Answers, known: list[str]) -> str:
    while True:
        name = answers.line("channel (its id; empty if that was the last): ")
        try:
            if name in known:
                raise ConfigError(f"there is a channel {name!r} already")
            if name:
                _require_id(name)
            return name
        except ConfigError as error:
            answers.object(error)


def _require_id(name: str) -> None:
    source = load_source(f"{name}: 0", "answer")
    key = source.root.pairs[0][0] if source.root and source.root.pairs else None
    if key is None or pattern(key, source.report) is None:
        source.report.require()
        raise ConfigError(f"{name!r} is no channel id")


def _rows(table: Table, keys: tuple[str, ...]) -> list[tuple[str, str, str]]:
    rows = {row[0]: row for row in table}
    return [rows[key] for key in keys]


def _plain(node: Node, by_value: bool) -> Any:
    if node.kind == MAP:
        return {key.text: _plain(value, True) for key, value in node.pairs}
    if node.kind == LIST:
        return [_plain(item, by_value) for item in node.items]
    assert node.kind == SCALAR
    return node.value if by_value else node.text
