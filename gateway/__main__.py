"""The command line: `tidegate VERB`. Loads a verb's module only when that verb is called."""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from typing import TYPE_CHECKING

from gateway import __version__
from gateway.core.errors import ConfigError, LinkError

if TYPE_CHECKING:
    from collections.abc import Sequence

# Exit codes: ours, then those of sysexits.h.
OK, FINDINGS, USAGE = 0, 1, 2
UNAVAILABLE, IO_ERROR, NO_PERMISSION, CONFIG = 69, 74, 77, 78
INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it

# verb: (module with `arguments` and `main`, one line of help)
VERBS = {
    "demo": ("tools.demo.cli", "watch simulated sensors arrive, and disturb them"),
    "run": ("gateway.agent.run_cpython", "run the gateway of a site file"),
    "check": ("tools.site.check", "say everything that is wrong in a site file"),
    "explain": ("tools.site.explain", "show how a site's devices are polled, and what it costs"),
    "watch": ("tools.watch", "show what a buffer directory holds"),
    "profile": ("tools.profile.cli", "write, check, try and document driver profiles"),
    "sim": ("tools.sim.cli", "simulate devices, or a gateway's whole world"),
    "fusion": ("tools.fusion.cli", "run the reference platform, and report what arrived"),
    "bench": ("tools.bench.cli", "measure this build against its budgets"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the verb named in `arguments` (default: the process's); return the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal may lack our letters: … ° µ
    parser = _parser()
    if not given or given[0] not in VERBS:
        if given and not given[0].startswith("-"):
            parser.error(_no_verb(given[0]))
        parser.parse_args(given or ["--help"])
        return USAGE
    _refuse_strangers()
    module_name, summary = VERBS[given[0]]
    module = importlib.import_module(module_name)
    verb = argparse.ArgumentParser(prog=f"tidegate {given[0]}", description=summary)
    verb.add_argument("--json", action="store_true", help="machine-readable output")
    module.arguments(verb)
    try:
        return int(module.main(verb.parse_args(given[1:])))
    except ConfigError as error:
        return _say(error, CONFIG)
    except LinkError as error:
        return _say(error, UNAVAILABLE)
    except PermissionError as error:
        return _say(_named(error), NO_PERMISSION)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has seen enough
        return OK
    except OSError as error:
        return _say(_named(error), IO_ERROR)
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    width = max(len(verb) for verb in VERBS)
    verbs = "\n".join(f"  {verb:<{width}}  {text}" for verb, (_, text) in VERBS.items())
    parser = argparse.ArgumentParser(
        prog="tidegate",
        usage="tidegate VERB [options]",
        description="Edge gateway of a city's sensing network.",
        epilog=f"verbs:\n{verbs}\n\n`tidegate VERB --help` tells more about one of them.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"tidegate {__version__}")
    parser.add_argument("verb", choices=VERBS, metavar="VERB", help="what to do, see below")
    return parser


def _no_verb(word: str) -> str:
    import difflib

    near = difflib.get_close_matches(word, VERBS, 1)
    return f"no verb {word!r}: " + (f"did you mean '{near[0]}'?" if near else "see --help")


def _refuse_strangers() -> None:
    """Refuse to run with another distribution's `drivers` package in place of ours."""
    import drivers
    import gateway

    home, found = (os.path.dirname(one.__path__[0]) for one in (gateway, drivers))
    if found != home:
        raise SystemExit(f"tidegate: `drivers` is taken from {found}, not from {home}")


def _named(error: OSError) -> str:
    # Of two names the second is the one a person gave: what was to be made, not made from.
    name = error.filename2 or error.filename
    return f"{name}: {error.strerror}" if name else str(error.strerror or error)


def _say(error: Exception | str, code: int) -> int:
    print(f"tidegate: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
