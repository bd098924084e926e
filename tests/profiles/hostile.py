"""Files made to hurt whoever reads them, and what reading each costs, measured from outside.

    python -m tests.profiles.hostile

prints one JSON object: name to [refused, CPU milliseconds, KiB of Python memory]. Each file is a
sound profile but for the one thing that is meant to hurt.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import tracemalloc
from functools import partial
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING

from drivers.profile import model
from drivers.profile.check_cpython import check_text
from drivers.profile.folded import CHANNELS_MAX
from gateway.core import cbor
from gateway.core.errors import BadReply, ConfigError
from tools.profile.proof import tester

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MEMORY_MAX = 1 << 30  # bytes of address space: a bomb that goes off ends the process, not the desk
CPU_MAX_S = 300
BEST_OF = 3  # other work on the machine is not our cost


def profile(row: str, top: str = "", bus: str = "modbus: {}", test: str = "") -> str:
    """Return a profile with one channel row, sound but for what is given."""
    test = test or "holding: {0: '0001'}"
    channels = f"channels:\n  {row}\n" if row else ""
    return f"name: A\n{bus}\n{top}{channels}tests:\n  - {test}\n    gives: {{a: 1}}\n"


def calc(text: str) -> str:
    """Return a profile whose channel computes `text`."""
    return profile(f'a: {{at: 0, calc: "{text}"}}')


def match(pattern: str) -> str:
    """Return a profile that looks for `pattern` in a line of text."""
    row = f"a: {{match: '{pattern}'}}"
    return profile(row, bus="serial: {as: text}", test=f'received: "{"a" * 40}!\\n"')


def lines(form: str, count: int) -> str:
    """Return `count` lines, each with its number in `form`."""
    return "".join(form.format(i) + "\n" for i in range(count))


def listed(inside: str) -> str:
    """Return a profile whose channels are these lines."""
    test = "tests:\n  - holding: {0: '0001'}\n    gives: {a: 1}\n"
    return f"name: A\nmodbus: {{}}\nchannels:\n{inside}{test}"


_ALIASES = "x0: &x0 [1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"x{i + 1}: &x{i + 1} [{f'*x{i},' * 8}]\n" for i in range(30)
)
_MERGES = "x0: &x0 {a: 1}\n" + "".join(
    f"x{i + 1}: &x{i + 1} {{<<: [*x{i}, *x{i}]}}\n" for i in range(30)
)


def alike(channels: int, says: str, wrong: int = 0) -> str:
    """Return a profile whose long names are nearly alike, and as `wrong` ones in its test."""
    rows = lines("  channel_of_a_long_name_{0}_abcdef: {{" + says + "}}", channels)
    gives = ", ".join(f"channel_of_a_long_name_x{i}_abcdef: 1" for i in range(wrong))
    return listed(rows).replace("{a: 1}", f"{{{gives or 'a: 1'}}}")


SOURCES: dict[str, str] = {
    # YAML itself
    "alias bomb": profile("a: {at: 0}", _ALIASES),
    "merge bomb": profile("a: {at: 0}", _MERGES),
    "anchor within itself": profile("a: &a {at: 0, map: *a}"),
    "python object": profile("a: !!python/object/apply:os.system ['reboot']"),
    "binary tag": profile("a: {at: 0, help: !!binary QQ==}"),
    "open brackets": profile("a: " + "[" * 60_000),
    "open braces": profile("a: " + "{" * 60_000),
    "brackets closed": profile("a: " + "[" * 30_000 + "]" * 30_000),
    "sequences": profile("a: " + "- " * 30_000),
    "levels": "".join(f"{' ' * i}a:\n" for i in range(300)),
    "documents": "--- a\n" * 10_000,
    "comments": "#" * 65_537,
    "one megabyte": "a: 1\n" * 200_000,
    "one key again": "a: 1\n" * 13_000,
    "keys of no meaning": profile("a: {at: 0}", lines("key_{}: 1", 4000)),
    "channels all alike in gives": alike(500, "at: {0}", 150),
    "channels all alike in calc": alike(300, "calc: channel_of_a_long_name_x{0}_abcdef"),
    "long key": profile("? " + "a" * 60_000 + "\n  : {at: 0}"),
    "long kind": profile("a: {at: 0, unit: V, kind: " + "util.elec." * 6000 + "}"),
    "long unit": profile("a: {at: 0, unit: " + "mg/L" * 15_000 + ", kind: wq.do}"),
    "long scalar": profile("a: {at: " + "0" * 60_000 + "}"),
    "digits": profile("a: {at: 0}", "every: " + "9" * 60_000 + "\n"),
    "hex digits": profile("a: {at: 0x" + "f" * 60_000 + "}"),
    "exponent": profile("a: {at: 0, scale: 1e999999999}"),
    "small exponent": profile("a: {at: 0, scale: 1e-999999999}"),
    "no number": profile("a: {at: 0, scale: .nan}"),
    # what people cannot see
    "zero byte": profile("a: {at: 0, help: a\0b}"),
    "zero byte escaped": profile('a: {at: 0, help: "a\\0b"}'),
    "escape sequence": profile('a: {at: 0, title: "\\e[2J\\e]0;owned\\a"}'),
    "half a surrogate": profile("a: {at: 0, help: a\ud800b}"),
    "half a surrogate escaped": profile('a: {at: 0, help: "\\ud800"}'),
    "text turned round": profile("a: {at: 0, title: \u202egnp.exe}"),
    "Cyrillic key": profile("a: {\u0430t: 0}"),
    "Cyrillic id": profile("\u0430: {at: 0}"),
    "full-width digit": profile("a: {at: \uff10}"),
    "full-width range": profile("a: {at: 0, valid: \uff10..\uff19}"),
    "superscript digit": profile("a: {at: \u00b2}"),
    "full-width bits": profile("a: {at: 0, bits: \uff11}"),
    "Arabic type": profile("a: {at: 0, type: u\u0661\u0666}"),
    "mark of another order": "\ufffe" + profile("a: {at: 0}"),
    "id with joiner": profile("a\u200d: {at: 0}"),
    "marks on marks": profile("a" + "\u0301" * 20_000 + ": {at: 0}"),
    # numbers beyond what a board holds
    "address": profile("a: {at: 18446744073709551616}"),
    "scale of 80 bits": profile("a: {at: 0, scale: 1208925819614629174706176}"),
    "offset of 70 bits": profile("a: {at: 0, offset: -1180591620717411303424}"),
    "label of 65 bits": profile("a: {at: 0, type: u64, map: {36893488147419103232: b}}"),
    "valid of 70 bits": profile("a: {at: 0, valid: 0..1180591620717411303424}"),
    "text without end": profile("a: {at: 0, type: str999999999}"),
    "default of 70 bits": profile(
        "a: {at: 0}", "settings: {s: {default: 1180591620717411303424}}\n"
    ),
    "age of the world": profile("a: {at: 0}", "every: 99999999999999h\n"),
    "no pause": profile("a: {at: 0}", "every: 1ms\n"),
    "long wait": profile("a: {at: 0, write: {steps: [{at: 0, value: 1, wait: 24h}]}}"),
    "far bits": profile("a: {at: 0, bits: 0..99999999}"),
    "far flag": profile("a: {at: 0, flags: {99999999: b}}"),
    # much out of little
    "array": profile("a_[1..999999999]: {at: 0}"),
    "arrays": listed(lines("  c{}_[1..500]: {{at: 1}}", 1800)),
    "arrays within groups": profile(
        "a: {at: 0}\n  z[1..500]:\n    step: 1\n    channels:\n"
        + lines("      c{}_[1..500]: {{at: 1}}", 1400)
    ),
    "groups": listed(lines("  c{}_[1..500]: {{step: 1, channels: {{b: {{at: 0}}}}}}", 1000)),
    "alternatives": listed("  a: [" + "{at: 1, if: 1}, " * 3500 + "{at: 0}]\n"),
    "array of words": profile("a_[" + ",".join(f"w{i}" for i in range(9000)) + "]: {at: 0}"),
    "channels": listed(lines("  c{}: {{at: 1}}", 3500)),
    "labels": profile(
        "a: {at: 0, map: {" + ", ".join(f"{i}: b" for i in range(70_000, 77_000)) + "}}"
    ),
    "sentinels": profile("a: {at: 0, none: [" + "70000, " * 7000 + "1]}"),
    "tests": listed("  a: {at: 0}\n")
    + lines("  - {{holding: {{0: '0002'}}, gives: {{a: 1}}}}", 1300),
    "frame": profile("a: {at: 0}", test="received: " + "00" * 30_000),
    "typing errors": listed(lines("  c{}: {{at: 1, unit: V, kind: util.elec.voltoge}}", 1200)),
    "unlike typing errors": listed(
        lines("  c{0}: {{at: 1, unit: vol{0}, knd: ut.elc.voltage{0}}}", 1000)
    ),
    # expressions
    "tower of powers": calc("9**9**9**9"),
    "tower of x": calc("x**9**9**9"),
    "powers of powers": calc("((9**64)**64)**64"),
    "shift": calc("1 << 99999999"),
    "text by the million": calc("'a' * 99999999"),
    "text of texts": calc("'%99999999d' % x"),
    "brackets around": calc("(" * 240 + "x" + ")" * 240),
    "signs": calc("-" * 450 + "x"),
    "nots": calc("not " * 120 + "x"),
    "choices": calc("x if x else " * 40 + "x"),
    "sum": calc("x + " * 120 + "x"),
    "long": calc("x" * 60_000),
    "deep index": calc("x" + "[0]" * 160),
    "deep call": calc("abs(" * 120 + "x" + ")" * 120),
    "lambda": calc("(lambda: x)()"),
    "comprehension": calc("[x for x in range(10**9)][0]"),
    "import": calc("__import__('os').system('reboot')"),
    "attributes": calc("x.__class__.__base__.__subclasses__()"),
    "assignment": calc("(x := 10**9)"),
    "formatted text": calc("f'{x}'"),
    "digits in it": calc("9" * 450),
    "yield": calc("(yield x)"),
    "await": calc("await x"),
    "starred": calc("max(*[x])"),
    "names in a circle": listed("  a: {calc: b + 1}\n  b: {calc: a + 1}\n"),
    "a long circle": listed(
        "  a: {calc: c400}\n  c0: {calc: a}\n"
        + lines("  c{0}: {{calc: c{0} + 1}}", 401).replace("c0:", "d:", 1)
    ),
    # patterns
    "repetition of a repetition": match("((?:a+)+)$"),
    "choice of the same": match("((?:a|a)*)$"),
    "choice of a prefix": match("((?:a|aa)+)$"),
    "stars": match("^a*a*a*a*a*a*a*a*a*a*(b)"),
    "anything, often": match(".*.*.*.*.*(b)"),
    "optionals": match("a?" * 20 + "a" * 18 + "(b)"),
    "counted": match("(a{99999999})"),
    "brackets in a pattern": match("(" * 40 + "a" + ")" * 40),
    "look ahead": match("(?=(a+))a*b"),
    "back reference": match("(a+)\\\\1+b"),
    "long pattern": match("a" * 5000 + "(b)"),
    "set without end": match("([a"),
    # frames
    "length of a field": profile(
        "a: {at: 0}", bus="serial: {start: 42, length: {at: 2, type: u32, plus: 99999999}}"
    ),
    "start": profile("a: {at: 0}", bus="serial: {start: " + "42" * 5000 + "}"),
    "starts": profile("a: {at: 0}", bus="serial: {start: [" + "42, " * 5000 + "43]}"),
    "messages": profile(
        "a: {at: 0}", bus="serial:\n  messages:\n" + lines("    m{0}: {{start: 42 43}}", 2000)
    ),
    "request": profile("a: {at: 0}", bus="serial: {length: 4, ask: '" + "{check}" * 5000 + "'}"),
    "patterns of a name": profile(
        "a: {at: 0}", bus="ble: {name: '" + "*a" * 5000 + "', length: 4}"
    ),
    "place beyond the frame": profile("a: {at: 99999999}", bus="serial: {length: 4}"),
    "module with a path": profile("a: {at: 0}", bus="driver: {use: ../../etc/passwd}"),
}


def _document(**keys: Any) -> bytes:
    document = {"tidegate": model.FORMAT, "name": "A", "every": 1000, "bus": "modbus"}
    document["channels"] = [{"id": "a", "at": 0}]
    document.update(keys)
    return cbor.encode(document)


def _channel(**keys: Any) -> bytes:
    return _document(channels=[{"id": "a", "at": 0} | keys])


COMPILED: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "no map": lambda: cbor.encode([1, 2]),
    "levels": lambda: b"\x81" * 60_000 + b"\x00",
    "maps in maps": lambda: b"\xa1\x00" * 30_000 + b"\x00",
    "a list of 2**64": lambda: b"\x9b" + b"\xff" * 8,
    "a map of 2**64": lambda: b"\xbb" + b"\xff" * 8,
    "bytes of 2**64": lambda: b"\x5b" + b"\xff" * 8,
    "a text of 4 GiB": lambda: b"\x7a" + b"\xff" * 4,
    "a list without length": lambda: b"\x9f\x00\xff",
    "tags on tags": lambda: b"\xc1" * 60_000 + b"\x00",
    "a key twice": lambda: b"\xa2\x61\x61\x00\x61\x61\x00",
    "half a text": lambda: b"\x62\xc3\x28",
    "a decimal of 10**9 digits": lambda: b"\xc4\x82\x1a\x3b\x9a\xca\x00\x01",
    "another format": lambda: _document(tidegate=99),
    "another bus": lambda: _document(bus="can"),
    "no channels": lambda: _document(channels=0),
    "a channel without id": lambda: _document(channels=[{"at": 0}]),
    "channels": lambda: _document(channels=[{"id": f"c{i}", "at": 0} for i in range(5000)]),
    "an array": lambda: _channel(id="a#", of=[1, 999_999_999]),
    "an array of itself": lambda: _channel(id="a#", of=[1, [1, 2]]),
    "arrays within groups": lambda: _document(
        groups=[{"of": [1, 500], "step": 1}],
        channels=[{"id": "%b#", "at": 0, "of": [1, 500], "group": 0}],
    ),
    "a group that is not there": lambda: _channel(group=7),
    "an address": lambda: _channel(at=1 << 63),
    "an address before the first": lambda: _channel(at=-1),
    "a text without end": lambda: _channel(type="str999999999"),
    "no type": lambda: _channel(type="../../etc"),
    "no order": lambda: _channel(order="AAAA"),
    "far bits": lambda: _channel(bits=[0, 1 << 40]),
    "bits turned round": lambda: _channel(bits=[9, 2]),
    "a far flag": lambda: _channel(flags={1 << 40: "b"}),
    "an expression that takes what is not there": lambda: _channel(calc=["+", "+", "+"]),
    "an expression that leaves much": lambda: _channel(calc=[1, 2, 3]),
    "an expression without end": lambda: _channel(calc=[1] + [1, "+"] * 30_000),
    "a text for an expression": lambda: _channel(calc="import os"),
    "a power": lambda: _channel(calc=[9, {"a": 1}, "**"]),
    "valid upside": lambda: _channel(valid=[0]),
    "a conversion by nothing": lambda: _channel(to=[0, 1, 0]),
    "a conversion by a text": lambda: _channel(to=["0", 1, 1]),
    "a period before time": lambda: _channel(every=-99),
    "a write without function": lambda: _channel(write={"with": 99}),
    "a wait of years": lambda: _channel(
        write={"steps": [{"at": 0, "value": [1], "wait": 1 << 40}]}
    ),
    "a setting without id": lambda: _document(settings=[{"default": 1}]),
    "identify without end": lambda: _document(identify=["a"] * 10_000),
    "a line of light": lambda: _document(line={"baud": 1 << 40}),
    "a message of no shape": lambda: _document(
        bus="serial", messages=[{"id": "", "start": "42"}], channels=[{"id": "a", "at": 0}]
    ),
    "messages": lambda: _document(
        bus="serial", messages=[{"id": f"m{i}", "start": [b"A"]} for i in range(5000)]
    ),
    "a pattern that searches for ever": lambda: _document(
        bus="serial",
        messages=[{"id": "", "as": "text", "end": b"\n"}],
        channels=[{"id": "a", "match": "((?:a+)+)b"}],
    ),
}


def read_source(name: str) -> bool:
    """Return whether the source is refused."""
    checked = check_text(SOURCES[name], f"{name}.yaml")
    tester.run(checked)
    return checked.report.errors > 0


def read_compiled(data: bytes) -> bool:
    """Return whether a compiled profile is refused, when it is loaded or when it is chosen."""
    try:
        found = model.load(data)
        places = found.device().places("a")
    except (BadReply, ConfigError):
        return True
    return len(places) > CHANNELS_MAX


def measure(read: Callable[[], bool]) -> list[Any]:
    """Return [refused, CPU ms at best, KiB at most] of reading once."""
    best = None
    refused = True
    for _ in range(BEST_OF):
        started = process_time()
        refused = read()
        spent = (process_time() - started) * 1000
        best = spent if best is None else min(best, spent)
        if spent > 1000:
            break
    gc.collect()
    tracemalloc.start()
    read()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return [refused, round(best or 0.0, 1), peak // 1024]


def main() -> None:
    """Measure everything and print it."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_MAX_S, CPU_MAX_S))
    check_text(profile("a: {at: 0}"), "warm-up")
    found = {f"source: {name}": measure(partial(read_source, name)) for name in SOURCES}
    for name, make in COMPILED.items():
        found[f"compiled: {name}"] = measure(partial(read_compiled, make()))
    json.dump({"cases": found, "resident_kib": _resident_kib()}, sys.stdout)


def _resident_kib() -> int:
    # Not ru_maxrss: that is inherited, and tells of whoever started this process.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0])


if __name__ == "__main__":
    main()
