from drivers.frames import Frames, write_request
from drivers.profile.model import Image, load
from gateway.core import cbor
from gateway.core.decimal import parse
from gateway.core.errors import BadReply, ConfigError, Refused
from tests.portable.support import raised


def refused(document, values, used):
    """Return how many are refused when each value stands in each place; the others are used."""
    data = cbor.encode(document)
    broken = 0
    for path in paths(document):
        for value in values:
            mutant = cbor.decode(data)
            place = mutant
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = value
            try:
                used(load(cbor.encode(mutant)))
            except (BadReply, ConfigError):
                broken += 1
    return broken


def test_profile_no_wrong_value_anywhere_passes_and_then_fails_at_the_device():
    steps = [{"at": 2, "value": [1], "wait": 5}]
    rows = [
        {
            "id": "a#",
            "of": [1, 2],
            "at": 0,
            "step": 1,
            "bits": [0, 3],
            "none": [9],
            "map": {1: "b"},
        },
        {
            "id": "b",
            "at": 5,
            "scale": 2,
            "offset": 1,
            "round": 1,
            "valid": [0, None],
            "to": [0, 1, 2],
        },
        {"id": "c", "at": 6, "flags": {0: "on"}, "every": 1000, "if": ["b"], "unit": "V"},
        {"id": "d", "at": 7, "type": "u32", "order": "CDAB", "write": {"min": 0, "steps": steps}},
        {"id": "e%", "group": 0, "calc": ["b", 1, "+"]},
    ]
    document = {"tidegate": 1, "name": "X", "every": 10000, "bus": "modbus", "channels": rows}
    document.update({"groups": [{"step": 4, "of": ["x", "y"]}], "setup": steps, "identify": ["b"]})
    document.update({"settings": [{"id": "s", "at": 9, "default": 1}], "line": {"pause_ms": 5}})
    data = cbor.encode(document)
    use(load(data))
    assert (
        refused(
            document,
            (None, -1, 1 << 40, "x", "", [], [5, 2], {}, {-1: "a"}, parse("0.5"), True),
            use,
        )
        > 500
    )


MESSAGE = {
    "id": "p",
    "ask": [b"\x01", "'addr", "'s", "'check"],
    "every": 1000,
    "start": [b"\x01", b"\x02"],
    "bytes": [[1, b"\x00"], [-1, b"\x09"]],
    "length": {"at": 2, "type": "u8", "plus": 1, "order": "DCBA"},
    "end": b"\x09",
    "check": {"is": "sum8", "from": 1, "seed": 2},
}


def test_profile_no_wrong_value_of_messages_passes_and_then_fails_at_the_device():
    steps = [{"send": [b"\x05", "'value", "'check"], "value": ["x"], "type": "u16", "wait": 5}]
    rows = [
        {"id": "a", "in": "p", "at": -3, "type": "u16", "write": {"steps": steps}},
        {"id": "b#", "of": [1, 2], "at": 1, "step": 1, "if": ["a", 0, ">="]},
        {"id": "c", "in": "q", "at": 1, "match": "T=([0-9.]+)", "none": ["-"]},
        {"id": "d", "in": "q", "at": 0, "type": "str3"},
    ]
    text = {"id": "q", "as": "text", "split": ",", "end": b"\n", "length": {"min": 2, "max": 90}}
    document = {"tidegate": 1, "name": "X", "every": 10000, "bus": "serial", "channels": rows}
    document.update({"messages": [MESSAGE, text], "settings": [{"id": "s", "default": 1}]})
    document["line"] = {"wake": [b"\xfe", 100], "sleep": b"\xff"}
    document["setup"] = [{"send": [b"P", "'s"], "as": "text", "if": ["s", 1, "=="]}]
    data = cbor.encode(document)
    use_frames(load(data))
    assert (
        refused(
            document,
            (None, -1, 1 << 40, "x", "", b"", b"xyz", [], [5, 2], {}, parse("0.5"), True),
            use_frames,
        )
        > 500
    )


def test_profile_what_would_grow_or_fail_on_the_device_is_not_loaded():
    long = "x" * 97
    whole = {"id": "a", "at": 0}
    for row, keys in (
        ({"id": "#" * 9}, {}),
        ({"id": "%%", "group": 0}, {}),
        ({"id": long}, {}),
        ({"calc": ["b##"]}, {}),
        ({"if": [long]}, {}),
        ({"of": ["#"]}, {}),
        ({"of": ["\xb2"], "calc": ["#"]}, {}),  # a digit to some, but no number
        ({"of": [long], "calc": ["#"]}, {}),
        ({"of": [""]}, {}),
        ({"group": 0, "id": "a%"}, {"groups": [{"step": 0, "of": ["%"]}]}),
        ({"type": "f32", "bits": [0, 7]}, {}),
        ({"type": "bcd16", "bits": [0, 6]}, {}),
        ({"type": "u8", "bits": [8, 8]}, {}),
        ({"at": None, "write": {}}, {}),
    ):
        document = {"tidegate": 1, "name": "X", "every": 10000, "bus": "modbus"}
        mutant = dict(whole)
        mutant.update(row)
        document["channels"] = [{key: mutant[key] for key in mutant if mutant[key] is not None}]
        document.update(keys)
        raised(BadReply, load, cbor.encode(document))
    send = [b"\x01"] + ["'s"] * 64
    document = {"tidegate": 1, "name": "X", "every": 10000, "bus": "serial", "channels": [whole]}
    document["messages"] = [{"id": "", "ask": send, "length": [1]}]
    raised(BadReply, load, cbor.encode(document))


def use_frames(found):
    """Do all that an agent will do with a profile of frames."""
    one = found.device()
    frames = Frames(found, one.settings)
    for request in frames.asks():
        request.refusal(b"\x01\x07\x01\x09")
        request.build(b"\x07")
    image = Image()
    for frame in (b"\x01\x00\x04\x07\x09", b"R1,T=2.5 C\n", b""):
        try:
            frames.put(image, frame)
        except (BadReply, Refused):
            pass
    for period in one.periods() + [0]:
        one.fields(period)
    known = {}
    one.decode(image, known)
    for step in one.setup_steps(known, image) + one.write("a", 1, known):
        write_request(found, step).build(b"\x07")


def paths(node, before=()):
    found = [before] if before else []
    keys = list(node) if isinstance(node, dict) else range(len(node))
    for key in keys if isinstance(node, (dict, list)) else ():
        if isinstance(node[key], (dict, list)):
            found += paths(node[key], before + (key,))
        else:
            found.append(before + (key,))
    return found


def use(found):
    """Do all that an agent does with a profile."""
    one = found.device()
    image = Image()
    for period in one.periods() + [0]:
        for field in one.fields(period) + one.setup_fields() + one.identify_fields():
            assert field.address >= 0 and field.address + field.count <= 65536
            image.put(field.table, field.address, bytes(2 * field.count - 1) + b"\x05")
    known = {}
    one.decode(image, known)
    one.identify(known)
    one.setup_steps(known, image)
    for slot in one.channels:
        if slot.writable:
            one.write(slot.id, 1, known)
