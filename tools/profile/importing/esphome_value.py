"""What ESPHome does to a register's value: bit masks, filters, words of texts and selects.

Knows its options; knows no item as a whole and no device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.profile.importing import formula
from tools.profile.importing.draft import one_line
from tools.profile.importing.foreign import Items, Map
from tools.profile.importing.words import exact, fraction, whole

if TYPE_CHECKING:
    from fractions import Fraction
    from typing import Any

    from tools.profile.importing.linear import Chain

# What smooths or thins out a value; a poll period and the platform's dead band do that here.
_SMOOTHING = (
    *("throttle", "delta", "debounce", "heartbeat", "timeout", "throttle_average", "median"),
    *("sliding_window_moving_average", "exponential_moving_average", "skip_initial", "quantile"),
    *("throttle_with_priority", "min", "max", "delayed_on", "delayed_off", "delayed_on_off"),
    *("settle", "autorepeat"),
)


def apply_filter(
    word: str,
    value: Any,
    number: Fraction | None,
    chain: Chain,
    keys: dict[str, Any],
    ids: dict[str, str],
) -> str:
    """Carry one filter into the chain or the keys; return what is lost of it, or ""."""
    if word == "multiply" and number is not None:
        chain.times(number)
    elif word == "offset" and number is not None:
        chain.plus(number)
    elif word == "invert":
        chain.formula("not x" if "bits" in keys else "x == 0")
    elif word == "lambda":
        made = formula.expression(str(value), ids)
        if not made:
            return "lambda"
        chain.formula(made)
    elif word in ("round", "round_to_multiple_of"):
        if word == "round" and number is not None and 0 <= number <= 12:
            keys["round"] = int(number)
    elif word == "clamp" and isinstance(value, Map):
        low, high = fraction(str(value.get("min_value"))), fraction(str(value.get("max_value")))
        ends = [exact(one) if one is not None else "" for one in (low, high)]
        keys["valid"] = f"{ends[0]}..{ends[1]}" if any(one != "" for one in ends) else ""
    elif word == "filter_out":
        return _filter_out(value, chain, keys)
    elif word not in _SMOOTHING:
        return f"filter {word}"
    return ""


def masked(section: str, mask: int | None, kind: str, keys: dict[str, Any], chain: Chain) -> str:
    """Turn a bit mask into bits, or into arithmetic where it has holes."""
    size = 8 * {"u16": 2, "s16": 2, "u32": 4, "s32": 4}.get(kind, 0)
    if section == "switch":
        mask = 1 if mask is None else mask
        if mask == 1:
            return ""
    if not mask or not size or mask >= (1 << size) - 1:
        return ""
    low = (mask & -mask).bit_length() - 1
    high = mask.bit_length() - 1
    if mask >> low & ((mask >> low) + 1):
        chain.formula(f"(x & {mask}) >> {low}" if low else f"x & {mask}")
    elif low == high and section == "sensor":
        chain.formula(f"x >> {low} & 1")  # a number 0 or 1, as in the source
    else:
        keys["bits"] = low if low == high else f"{low}..{high}"
    return ""


def _filter_out(value: Any, chain: Chain, keys: dict[str, Any]) -> str:
    for one in value if isinstance(value, Items) else [value]:
        number = fraction(str(one))
        if str(one).lower() == "nan":
            continue  # not a number is no value anyway
        scale, rest = chain.keys().get("scale", 1), chain.keys()
        raw = None if number is None or {"offset", "calc"} & set(rest) else number
        if raw is None:
            return f"filter_out {one}"
        raw /= fraction(str(scale)) or 1
        if raw.denominator != 1 or abs(raw) >= 1 << 63:
            return f"filter_out {one}"
        keys["none"] = [*keys.get("none", []), int(raw)]
    return ""


def text_keys(item: Map, keys: dict[str, Any]) -> str:
    if "lambda" in item:
        found = formula.labels(str(item["lambda"]))
        if found:
            keys["map"] = {key: one_line(word) for key, word in found.items()}
        return "" if found else "a lambda of more than one formula"
    count = whole(str(item.get("register_count", ""))) or 0
    size = whole(str(item.get("response_size", ""))) or 2 * count
    if not 0 < size <= 250:
        return "a text of unknown length"
    coded = str(item.get("raw_encode", "")).upper()
    keys["type"] = f"hex{size}" if coded in ("HEXBYTES", "COMMA") else f"str{size}"
    return ""


def select_keys(item: Map, keys: dict[str, Any]) -> str:
    options = item.get("optionsmap")
    if not isinstance(options, Map):
        return "options of its own making"
    found = {}
    for label, value in options.items():
        number = whole(str(value))
        if number is None:
            return f"option {label!r} is no whole number"
        found[number] = one_line(label)
    keys["map"] = found
    keys["write"] = True
    if "write_lambda" in item:
        del keys["write"]
    return ""
