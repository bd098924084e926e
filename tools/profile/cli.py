"""`tidegate profile VERB`: the author's kit. Loads a verb's module only when it is called."""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import TYPE_CHECKING

from gateway.core.report_cpython import near
from gateway.core.source_cpython import NoInput

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

NO_INPUT = 66  # EX_NOINPUT of sysexits.h
# verb: (module of this package with `arguments` and `main`, one line of help)
VERBS = {
    "new": ("writing.new", "a draft from a register table, or from questions"),
    "import": ("importing.cli", "drafts from what others wrote: SunSpec, evcc …"),
    "check": ("proof.verify", "everything there is to say: form, units, tests"),
    "test": ("proof.verify", "only run the tests"),
    "explain": ("telling.explain", "from bytes to value, step by step; or what a word means"),
    "simulate": ("live.simulate", "play the profile's device on a pty or a TCP port"),
    "try": ("live.try_", "look once at a real device through the profile"),
    "diff": ("telling.diff", "what the platform will see of a change, and its version"),
    "doc": ("telling.doc", "a page for each profile, and the catalogue of all"),
    "schema": ("writing.schema", "the JSON Schema by which an editor completes and checks"),
    "compile": ("writing.compile", "write the CBOR that a gateway loads"),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verbs of `tidegate profile`."""
    verbs = parser.add_subparsers(
        dest="action", required=True, metavar="VERB", parser_class=_VerbParser
    )
    for verb, (module, summary) in VERBS.items():
        verbs.add_parser(verb, help=summary, description=summary, module=module)


def main(args: argparse.Namespace) -> int:
    """Carry out the verb; return the exit code."""
    try:
        return int(args.carry_out(args))
    except NoInput as error:
        print(f"tidegate: {error}", file=sys.stderr)
        return NO_INPUT


class _VerbParser(argparse.ArgumentParser):
    """The parser of one verb, which asks the verb's module for its arguments when it is used."""

    def __init__(self, module: str, **options: Any) -> None:
        super().__init__(**options)
        self._module = module
        # The default must not undo a --json that stands before the verb.
        self.add_argument(
            "--json", action="store_true", default=argparse.SUPPRESS, help="for machines"
        )

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Declare the arguments of the verb, then read them."""
        module = importlib.import_module(f"tools.profile.{self._module}")
        module.arguments(self)
        self.set_defaults(carry_out=module.main)
        found, strange = super().parse_known_args(args, namespace)
        if strange:  # said here, so that the usage beside it is that of the verb
            hint = near(strange[0].partition("=")[0], self._option_string_actions)
            self.error(f"unrecognized arguments: {' '.join(strange)}" + (hint and f": {hint}"))
        return found, []
