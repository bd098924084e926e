"""Checks a whole profile as written and turns it into its compiled document.

One pass finds every problem; the document exists only if there is no error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profile import cases_cpython, form_cpython, graph_cpython, schema
from drivers.profile.bus_cpython import read_section
from drivers.profile.channel_cpython import read_channel
from drivers.profile.draft_cpython import Draft, Group
from drivers.profile.elsewhere_cpython import meant
from drivers.profile.expr_cpython import BadExpression, UnknownName, compile_text
from drivers.profile.model import FORMAT
from drivers.profile.names_cpython import Names, Pattern, expand, pattern
from drivers.profile.setting_cpython import read_settings
from drivers.profile.write_cpython import read_steps, read_write
from gateway.core.report_cpython import TooMany, near
from gateway.core.source_cpython import LIST, MAP, SCALAR, Node, Source, load_source

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from drivers.profile.cases_cpython import Case
    from gateway.core.report_cpython import Report

EVERY_MS = 60_000  # poll period of a profile that names none
GROUPS_MAX = 64
_MISSING = {"tests": "paste one frame of the manual, and what it means"}
ALTERNATIVES_MAX = 8  # places one channel may have; bounds what a small file can expand to


class Checked:
    """What a check found: the `report`, the compiled `document` or None, the tests.

    `root` is the profile as written, `drafts` its channels, both with the titles and remarks that
    no device needs.
    """

    def __init__(self, report: Report, root: Node | None) -> None:
        self.report = report
        self.root = root
        self.document: dict[str, Any] | None = None
        self.drafts: list[Draft] = []
        self.cases: list[Case] = []
        self.base = 0


def check_text(text: str, name: str) -> Checked:
    """Return everything there is to say about the profile in `text`."""
    return check_source(load_source(text, name))


def check_source(source: Source) -> Checked:
    """Return everything there is to say about a profile that was read as YAML."""
    checked = Checked(source.report, source.root)
    if source.root is None or source.root.kind != MAP:
        if not source.report.errors:
            place = source.root or Node(SCALAR, 1, 1, 1)
            hint = "`tidegate profile new` makes a first one"
            source.report.add("E011", place, "a profile is a map of keys", hint)
        return checked
    try:
        _check(source.root, checked)
    except TooMany:
        checked.document = None
    return checked


def _check(root: Node, checked: Checked) -> None:
    report = checked.report
    checker = _Checker(root, report)
    document = checker.document()
    checked.drafts = checker.drafts
    section = checker.section
    checked.base = section.base
    checked.cases = cases_cpython.read_cases(
        checker.keys.get("tests"), checker.names, section, report
    )
    if not report.errors:
        graph_cpython.check(document, checker.drafts, section, checked.cases, report)
    if not report.errors:
        checked.document = document


class _Checker:
    def __init__(self, root: Node, report: Report) -> None:
        self.root = root
        self.report = report
        self.keys = form_cpython.read(root, schema.PROFILE, "the profile", report)
        self.section = read_section(root, report)
        self.names = Names()
        self.drafts: list[Draft] = []
        self.groups: list[dict[str, Any]] = []

    def document(self) -> dict[str, Any]:
        """Return the compiled document; it is of use only if nothing was reported."""
        keys = self.keys
        for name in schema.REQUIRED:
            if name not in keys and self.root.get(name) is None and not meant(self.root, name):
                hint = _MISSING.get(name, "")
                self.report.add("E013", self.root, f"the profile has no '{name}'", hint)
        self._category()
        document: dict[str, Any] = {"tidegate": FORMAT, "name": keys.get("name", "")}
        for name in ("maker", "kind"):
            if name in keys:
                document[name] = keys[name]
        document["every"] = keys.get("every", self.section.keys.get("every", EVERY_MS))
        document.update(self.section.document())
        self._read_channels()
        settings = read_settings(keys.get("settings"), self.names, self.section, self.report)
        if settings:
            document["settings"] = settings
        for draft in self.drafts:
            self._expressions(draft)
        if self.groups:
            document["groups"] = self.groups
        document["channels"] = [draft.row for draft in self.drafts]
        if "identify" in keys:
            document["identify"] = self._compiled(keys["identify"], self._name())
        if "setup" in keys:
            document["setup"] = self._setup(keys["setup"])
        self.section.check_holes(self.names.settings, self.report)
        return document

    def _category(self) -> None:
        kind = self.keys.get("kind")
        if kind and kind not in schema.CATEGORIES:
            place = self.root.get("kind") or self.root
            words = set(kind.split("_"))
            alike = [one for one in schema.CATEGORIES if words & set(one.split("_"))]
            hint = (
                near(kind, schema.CATEGORIES) or f"known: {', '.join(alike or schema.CATEGORIES)}"
            )
            self.report.add("W032", place, f"device category {kind!r} is not known", hint)

    def _read_channels(self) -> None:
        node = self.keys.get("channels")
        if node is None:
            return
        if node.kind != MAP or not node.pairs:
            shown = "an empty one" if node.kind == MAP else node.shown
            hint = "the id goes first: temperature: {at: 0}"
            self.report.add("E011", node, f"channels must be a map of ids, not {shown}", hint)
            return
        for key, value in node.pairs:
            made = pattern(key, self.report)
            if made is None:
                self._look_into(key, value)
                continue
            if value.kind == MAP and value.get("channels") is not None:
                more = self._read_group(key, value, made)
            else:
                more = self._read_channel(key, value, made, None)
            if not more:
                return

    def _look_into(self, key: Node, value: Node) -> None:
        """Report what else is wrong with a channel whose key is no id."""
        self.names.refuse(key)
        if value.kind == MAP and value.get("channels") is None:
            read_channel(
                Draft(key, value, Pattern("", None, [""]), None), self.section, self.report
            )

    def _read_group(self, key: Node, node: Node, made: Pattern) -> bool:
        table = tuple(row for row in schema.CHANNEL if row[0] in schema.GROUP)
        keys = form_cpython.read(node, table, f"group {key.shown}", self.report)
        if len(self.groups) == GROUPS_MAX:
            self.report.add("E021", key, f"more than {GROUPS_MAX} groups")
            return False
        index = -1
        step = keys.get("step", 0)
        if made.of is not None:
            if "step" not in keys:
                message = f"group {key.shown} is repeated: 'step' must say how far apart"
                self.report.add("E013", key, message)
            index = len(self.groups)
            self.groups.append({"of": made.of, "step": step})
        folded = made.folded.replace("#", "%")
        group = Group(index, folded, made.suffixes, keys.get("at", 0), step)
        inner = keys.get("channels")
        if inner is None or inner.kind != MAP:
            message = "channels of a group must be a map of ids"
            self.report.add("E011", inner or node, message, "temperature: {at: 0}")
            return True
        for inner_key, value in inner.pairs:
            inner_made = pattern(inner_key, self.report)
            if inner_made is not None and not self._read_channel(
                inner_key, value, inner_made, group
            ):
                return False
        return True

    def _read_channel(self, key: Node, node: Node, made: Pattern, group: Group | None) -> bool:
        """Take one key with its alternatives; return whether there is room for more."""
        nodes = node.items if node.kind == LIST else [node]
        if not 0 < len(nodes) <= ALTERNATIVES_MAX:
            message = f"channel {key.shown} lists 1 to {ALTERNATIVES_MAX} alternatives"
            self.report.add("E011", node, message)
            return True
        drafts = []
        for one in nodes:
            draft = Draft(key, one, made, group)
            read_channel(draft, self.section, self.report)
            drafts.append(draft)
        first = drafts[0]
        if not self.names.add(key, first.folded, first.groups, made.suffixes, self.report):
            return False
        self._note_labels(drafts)
        for draft in drafts[1:]:
            for name in ("unit", "kind", "hidden", "every"):
                if draft.row.get(name) != first.row.get(name):
                    message = f"alternatives of {key.shown} differ in '{name}'"
                    self.report.add("E023", draft.place(name), message)
        self.drafts += drafts
        return True

    def _note_labels(self, drafts: list[Draft]) -> None:
        known: set[str] = set()
        for draft in drafts:
            labels = draft.row.get("map")
            if labels is None or "calc" in draft.keys:
                return
            known.update(str(label) for label in labels.values())
        for one in expand(drafts[0].folded, drafts[0].groups, drafts[0].made.suffixes):
            self.names.labels[one] = known

    def _setup(self, node: Node) -> list[dict[str, Any]]:
        name = self._name()
        return read_steps(
            node, "the setup", self.section, self.report, lambda one: self._compiled(one, name)
        )

    def _expressions(self, draft: Draft) -> None:
        name = self._name(draft, draft.placed)
        for key in ("calc", "if"):
            if key in draft.keys:
                draft.row[key] = self._compiled(draft.keys[key], name)
        if "write" in draft.keys:
            step_name = self._name(draft, True)
            write = read_write(
                draft, self.section, self.report, lambda node: self._compiled(node, step_name)
            )
            if write is not None:
                draft.row["write"] = write

    def _name(self, draft: Draft | None = None, x: bool = False) -> Callable[[str, int], str]:
        group = draft.group.folded if draft and draft.group else ""
        suffixes = draft.made.suffixes if draft else [""]

        def resolve(name: str, offset: int) -> str:
            return self.names.resolve(name, offset, group, suffixes, x)

        return resolve

    def _compiled(self, node: Node, name: Callable[[str, int], str]) -> list[Any]:
        try:
            code = compile_text(node.text, name)
        except BadExpression as error:
            number = "E041" if isinstance(error, UnknownName) else "E040"
            if not self.names.refused(node.text[error.offset :]):
                self.report.add(number, node.inside(error.offset), str(error))
            return [0]
        self._check_labels(node, code)
        return code

    def _check_labels(self, node: Node, code: list[Any]) -> None:
        # `unit == "cn"` would be false for ever, without a word: find it now.
        for index, item in enumerate(code[1:-1], 1):
            name = code[index - 1]
            labels = self.names.labels.get(name) if isinstance(name, str) else None
            if labels is None or code[index + 1] not in ("==", "!="):
                continue
            if isinstance(item, str) and item[:1] == "'" and item[1:] not in labels:
                hint = near(item[1:], labels) or f"it can be: {', '.join(sorted(labels))}"
                self.report.add("E043", node, f"{name} is never {item[1:]!r}", hint)
