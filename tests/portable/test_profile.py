from drivers.profile.model import NEVER, ONCE, Image, Step, load
from gateway.core import cbor
from gateway.core.decimal import parse
from gateway.core.errors import BadReply, ConfigError

D = parse


def device(channels, **keys):
    return profile(channels, **keys).device()


def profile(channels, **keys):
    document = {"tidegate": 1, "name": "X", "every": 10000, "bus": "modbus", "channels": channels}
    document.update(keys)
    return load(cbor.encode(document))


def holding(address, words):
    image = Image()
    image.put("holding", address, bytes.fromhex(words))
    return image


def refused(action):
    try:
        action()
    except ConfigError as error:
        return str(error)
    raise AssertionError("not refused")


def test_image_gives_only_what_was_read_whole():
    image = Image()
    image.put("holding", 10, bytes.fromhex("00010002"))
    image.put("holding", 12, bytes.fromhex("0003"))
    image.put("coil", 0, bytes([1, 0]))
    assert image.take("holding", 11, 2) == bytes.fromhex("00020003")
    assert image.take("holding", 12, 2) is None
    assert image.take("holding", 9, 1) is None
    assert image.take("input", 10, 1) is None
    assert image.take("coil", 1, 1) == b"\x00"


def test_profile_arrays_are_expanded_with_their_step():
    row = {"id": "v_l#", "of": [1, 3], "at": 0, "step": 2, "type": "f32", "in": "input"}
    found = device([row])
    assert [slot.id for slot in found.channels] == ["v_l1", "v_l2", "v_l3"]
    places = [(field.table, field.address, field.count) for field in found.fields(10000)]
    assert places == [("input", 0, 2), ("input", 2, 2), ("input", 4, 2)]


def test_profile_groups_and_arrays_inside_them_are_expanded():
    rows = [
        {"id": "zone%.t_#", "of": ["a", "b"], "at": 100, "step": 1, "group": 0},
        {"id": "zone%.sum", "calc": ["zone%.t_a", "zone%.t_b", "+"], "group": 0},
        {"id": "zone%.number", "calc": ["zone%.t_a", 0, "*", "#", "+"], "group": 0},
    ]
    found = device(rows, groups=[{"of": [1, 2], "step": 10}])
    known = {}
    found.decode(holding(100, "00010002" + "0000" * 8 + "00030004"), known)
    assert known["zone1.sum"] == 3
    assert known["zone2.sum"] == 7
    assert known["zone2.number"] == 2


def test_profile_scale_and_unit_conversion_stay_exact():
    rows = [
        {"id": "t", "at": 0, "type": "s16", "scale": D("0.1"), "unit": "Cel", "to": [-32, 5, 9]},
        {"id": "p", "at": 1, "scale": D("0.1"), "offset": -5, "unit": "hPa", "to": [0, 10, 1]},
    ]
    known = {}
    readings = device(rows).decode(holding(0, "02C6" + "03F5"), known)
    assert readings == [("t", D("21.6666666667"), "good"), ("p", 963, "good")]
    assert known == {"t": 71, "p": D("96.3")}


def test_profile_sentinel_and_range_say_why_there_is_no_value():
    rows = [
        {"id": "a", "at": 0, "none": [0xFFFF]},
        {"id": "b", "at": 1, "valid": [0, 100]},
        {"id": "c", "at": 2, "map": {0: "closed", 1: "open"}},
        {"id": "d", "at": 3, "flags": {0: "low", 3: "door"}},
    ]
    found = device(rows)
    known = {}
    readings = found.decode(holding(0, "FFFF 0065 0007 0009".replace(" ", "")), known)
    assert readings == [
        ("a", None, "sentinel"),
        ("b", None, "out-of-range"),
        ("c", None, "out-of-range"),
        ("d", "low,door", "good"),
    ]
    readings = found.decode(holding(0, "0001006400010000"), known)
    assert [value for _, value, _ in readings] == [1, 100, "open", ""]


def test_profile_registers_not_in_the_image_say_nothing():
    found = device([{"id": "a", "at": 0}, {"id": "b", "at": 1}])
    assert found.decode(holding(1, "0005"), {}) == [("b", 5, "good")]


def test_profile_a_failed_read_reaches_all_that_depends_on_it():
    rows = [
        {"id": "raw", "at": 0, "hidden": True},
        {"id": "twice", "calc": ["raw", 2, "*"]},
        {"id": "other", "at": 5},
    ]
    found = device(rows)
    known = {"raw": 7}
    image = Image()
    image.fail("holding", 0, 3, "no-reply")
    image.put("holding", 5, b"\x00\x01")
    readings = found.decode(image, known)
    assert readings == [("twice", None, "no-reply"), ("other", 1, "good")]
    assert "raw" not in known


def test_profile_an_operand_never_read_makes_the_value_stale():
    rows = [{"id": "a", "at": 0, "calc": ["x", "factor", "*"]}]
    rows += [{"id": "factor", "at": 9, "hidden": True, "every": ONCE}]
    found = device(rows)
    known = {}
    assert found.decode(holding(0, "0003"), known) == [("a", None, "stale")]
    found.decode(holding(9, "0002"), known)
    assert found.decode(holding(0, "0003"), known) == [("a", 6, "good")]


def test_profile_the_first_alternative_that_applies_gives_the_value():
    rows = [
        {"id": "a", "at": 0, "if": ["mode", 1, "=="]},
        {"id": "a", "at": 1, "if": ["mode", 2, "=="]},
        {"id": "mode", "at": 9, "hidden": True},
    ]
    found = device(rows)
    for mode, expected in ((1, [("a", 5, "good")]), (2, [("a", 6, "good")]), (3, [])):
        image = holding(0, "00050006")
        image.put("holding", 9, bytes([0, mode]))
        assert found.decode(image, {}) == expected
    assert [field.address for field in found.fields(10000)] == [0, 1, 9]


def test_profile_conditions_on_settings_decide_at_once():
    rows = [{"id": "a", "at": 0, "if": ["probes", 1, ">="]}]
    rows += [{"id": "b", "at": 1, "if": ["probes", 2, ">="]}]
    settings = [{"id": "probes", "default": 1, "min": 1, "max": 4}]
    assert [slot.id for slot in device(rows, settings=settings).channels] == ["a"]
    two = profile(rows, settings=settings).device({"probes": 2})
    assert [slot.id for slot in two.channels] == ["a", "b"]


def test_profile_periods_and_what_is_read_in_each():
    rows = [
        {"id": "fast", "at": 0, "every": 1000},
        {"id": "usual", "at": 1},
        {"id": "once", "at": 2, "every": ONCE},
        {"id": "off", "at": 3, "every": NEVER},
        {"id": "helper", "at": 4, "hidden": True},
        {"id": "lone", "at": 5, "hidden": True},
        {"id": "slow", "at": 6, "calc": ["x", "helper", "+", "once", "+"], "every": 60000},
        {"id": "order", "at": 7, "write": {"only": True}},
    ]
    found = device(rows)
    assert found.periods() == [0, 1000, 10000, 60000]
    read = {ms: [field.address for field in found.fields(ms)] for ms in found.periods()}
    assert read == {0: [2], 1000: [0], 10000: [1], 60000: [4, 6]}


def test_profile_a_derived_channel_keeps_the_pace_of_its_quickest_operand():
    rows = [
        {"id": "a", "at": 0, "every": 5000},
        {"id": "b", "at": 1, "every": 2000},
        {"id": "sum", "calc": ["a", "b", "+"]},
        {"id": "paced", "calc": ["a", "b", "+"], "every": 60000},
    ]
    found = device(rows)
    paces = {slot.id: slot.every_ms for slot in found.channels}
    assert paces == {"a": 5000, "b": 2000, "sum": 2000, "paced": 60000}
    assert [field.address for field in found.fields(60000)] == [0, 1]
    known = {"a": 1}
    assert found.decode(holding(1, "0002"), known, (2000,)) == [
        ("b", 2, "good"),
        ("sum", 3, "good"),
    ]


def test_profile_registers_read_along_make_no_readings_of_another_period():
    found = device([{"id": "a", "at": 0}, {"id": "b", "at": 1, "every": 60000}])
    known = {}
    assert found.decode(holding(0, "00010002"), known, (10000,)) == [("a", 1, "good")]
    assert known["b"] == 2


def test_profile_site_may_set_the_period():
    found = profile([{"id": "a", "at": 0}]).device({}, 500)
    assert found.periods() == [500]


def test_profile_identify_needs_its_channels():
    rows = [{"id": "model", "at": 3, "every": ONCE, "hidden": True}]
    found = device(rows, identify=["model", 112, "=="])
    assert [field.address for field in found.identify_fields()] == [3]
    assert found.identify({}) is None
    assert found.identify({"model": 112}) is True
    assert found.identify({"model": 113}) is False
    assert device(rows).identify({}) is None


def test_profile_writes_go_out_in_registers():
    rows = [
        {"id": "coil", "in": "coil", "at": 3, "write": {}},
        {"id": "word", "at": 4, "scale": D("0.1"), "write": {"min": 0, "max": 50}},
        {"id": "long", "at": 6, "type": "u32", "order": "CDAB", "write": {}},
        {"id": "mode", "at": 8, "map": {0: "off", 7: "on"}, "write": {"with": 16}},
        {"id": "order", "at": 9, "write": {"only": True}},
        {"id": "heat", "at": 10, "to": [-32, 5, 9], "unit": "Cel", "write": {}},
    ]
    found = device(rows)
    assert found.write("coil", True) == [Step("coil", 5, 3, (1,), 0, True)]
    assert found.write("word", D("21.34")) == [Step("holding", 6, 4, (213,), 0, True)]
    assert found.write("long", 0x12345678) == [Step("holding", 16, 6, (0x5678, 0x1234), 0, True)]
    assert found.write("mode", "on") == [Step("holding", 16, 8, (7,), 0, True)]
    assert found.write("order", 1) == [Step("holding", 6, 9, (1,), 0, False)]
    assert found.write("heat", 10) == [Step("holding", 6, 10, (50,), 0, True)]


def test_profile_illegal_writes_are_refused():
    rows = [{"id": "word", "at": 4, "scale": D("0.1"), "write": {"min": 0, "max": 50}}]
    rows += [{"id": "mode", "at": 8, "map": {0: "off", 7: "on"}, "write": {}}, {"id": "r", "at": 1}]
    found = device(rows)
    assert "51 is outside 0..50" in refused(lambda: found.write("word", 51))
    assert "-1 is outside 0..50" in refused(lambda: found.write("word", -1))
    assert "'a' is no number" in refused(lambda: found.write("word", "a"))
    assert "'word' cannot be set to None" in refused(lambda: found.write("word", None))
    assert "7 is not one of: off, on" in refused(lambda: found.write("mode", 7))
    assert "cannot be written" in refused(lambda: found.write("r", 1))
    assert "cannot be written" in refused(lambda: found.write("nobody", 1))


def test_profile_a_write_goes_to_the_alternative_that_holds():
    rows = [
        {"id": "version", "at": 0},
        {"id": "limit", "at": 10, "if": ["version", 2, "<"], "write": {}},
        {"id": "limit", "at": 20, "if": ["version", 5, "<"], "write": {}},
    ]
    found = device(rows)
    assert [step.address for step in found.write("limit", 1, {"version": 1})] == [10]
    assert [step.address for step in found.write("limit", 1, {"version": 3})] == [20]
    assert "cannot be written" in refused(lambda: found.write("limit", 1, {"version": 7}))
    assert "did not say yet" in refused(lambda: found.write("limit", 1, {}))


def test_profile_a_coil_is_on_at_any_value_but_zero():
    for value, bit in ((0xFF00, 1), (1, 1), (0, 0)):
        steps = [{"at": 5, "in": "coil", "value": [value]}]
        found = device([{"id": "a", "at": 1, "write": {"steps": steps}}])
        assert found.write("a", 1) == [Step("coil", 5, 5, (bit,), 0, False)]


def test_profile_what_no_register_holds_is_refused():
    steps = [{"at": 5, "type": "f32", "value": ["x", 0, "/"]}]
    found = device([{"id": "a", "at": 1, "write": {"steps": steps}}])
    assert "None does not fit" in refused(lambda: found.write("a", 1))
    found = device([{"id": "a", "at": 1, "type": "hex2", "write": {}}])
    assert "'zz' is not hexadecimal" in refused(lambda: found.write("a", "zz"))


def test_profile_write_steps_are_computed_and_wait():
    steps = [
        {"at": 100, "value": [0x55AA], "wait": 50},
        {"at": 101, "value": ["x", 2, "*"], "with": 16},
        {"at": 5, "in": "coil", "value": [True]},
    ]
    rows = [{"id": "a", "at": 1, "scale": D("0.5"), "write": {"steps": steps}}]
    assert device(rows).write("a", 10) == [
        Step("holding", 6, 100, (0x55AA,), 50, False),
        Step("holding", 16, 101, (40,), 0, False),
        Step("coil", 5, 5, (1,), 0, False),
    ]


def test_profile_settings_are_checked_and_labels_become_numbers():
    settings = [
        {"id": "ratio", "default": 1, "min": 1, "max": 100},
        {"id": "filter", "map": {0: "slow", 1: "fast"}, "default": "fast", "at": 0x20},
        {"id": "site", "min": 0},
        {"id": "key", "secret": True},
    ]
    made = profile([{"id": "a", "at": 0}], settings=settings)
    assert made.device({"site": 3}).settings == {"ratio": 1, "filter": 1, "site": 3, "key": None}
    assert made.device({"site": 3, "filter": "slow"}).settings["filter"] == 0
    assert "must be chosen" in refused(lambda: made.device({}))
    assert "unknown setting" in refused(lambda: made.device({"site": 1, "ration": 2}))
    assert "0 is outside" in refused(lambda: made.device({"site": 1, "ratio": 0}))
    assert "slow, fast" in refused(lambda: made.device({"site": 1, "filter": "quick"}))
    assert "map does not hold" in refused(lambda: made.device({"site": 1, "filter": 2}))
    assert "no number" in refused(lambda: made.device({"site": "x"}))


def test_profile_setup_writes_what_differs_and_what_applies():
    settings = [{"id": "filter", "default": 1, "at": 0x20}]
    setup = [{"at": 16, "value": [1], "if": ["filter", 1, "=="], "wait": 100}]
    setup += [{"at": 17, "value": [2], "if": ["filter", 0, "=="]}]
    found = device([{"id": "a", "at": 0}], settings=settings, setup=setup)
    assert [field.address for field in found.setup_fields()] == [0x20]
    always = Step("holding", 6, 16, (1,), 100, False)
    assert found.setup_steps({}, holding(0x20, "0001")) == [always]
    change = Step("holding", 6, 0x20, (1,), 0, True)
    assert found.setup_steps({}, holding(0x20, "0000")) == [change, always]
    assert found.setup_steps({}) == [change, always]


def test_profile_circles_in_broken_input_still_end():
    found = device([{"id": "a", "calc": ["b"]}, {"id": "b", "calc": ["a"]}])
    assert found.decode(Image(), {}) == []


def test_profile_every_cut_of_the_compiled_form_is_refused():
    rows = [{"id": "a#", "of": [1, 3], "at": 0, "step": 1, "calc": ["x", 2, "*"]}]
    document = {"tidegate": 1, "name": "X", "every": 10000, "bus": "modbus", "channels": rows}
    data = cbor.encode(document)
    assert len(load(data).digest) == 8
    for size in range(len(data)):
        try:
            load(data[:size])
        except BadReply:
            continue
        raise AssertionError(size)


def test_profile_broken_documents_are_refused():
    good = {"tidegate": 1, "name": "X", "every": 1000, "bus": "modbus", "channels": []}
    load(cbor.encode(good))
    row = {"id": "a", "at": 0}
    wrong = [("tidegate", 2), ("bus", "canbus"), ("channels", [{"at": 0}]), ("channels", 5)]
    wrong += [("channels", [dict(row, type="u17")]), ("channels", [dict(row, order="ABDC")])]
    wrong += [("channels", [dict(row, calc=["+"])]), ("channels", [dict(row, group=3)])]
    wrong += [("channels", [dict(row, of=[1, 9999])]), ("identify", ["if"])]
    wrong += [("channels", [dict(row, of=[1, 512]) for _ in range(9)]), ("channels", [5])]
    for key, value in wrong:
        broken = dict(good)
        broken[key] = value
        try:
            load(cbor.encode(broken))
        except BadReply:
            continue
        raise AssertionError((key, value))
