"""Sources with something wrong in them: a sentence or a sound draft, never anything else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.errors import ConfigError
from tests.tools.profile.importing.drafts import profile
from tests.tools.profile.importing.test_esphome import HEAD, ITEMS
from tests.tools.profile.importing.test_evcc import TEMPLATE
from tests.tools.profile.importing.test_sunspec import PANS, SIZZLER
from tests.tools.profile.importing.test_table import ENGLISH
from tests.tools.profile.importing.test_telegraf import OTHERS, REGISTER
from tools.profile.importing import formats

if TYPE_CHECKING:
    from pathlib import Path

SAMPLES = {
    "csv": ENGLISH,
    "evcc": TEMPLATE,
    "esphome": HEAD + ITEMS,
    "telegraf": REGISTER + "]\n" + OTHERS,
    "sunspec": json.dumps(SIZZLER, indent=1),
    "blocks": json.dumps(PANS, indent=1),
}
SNIPPETS = ["", "0", "-1", "99999999999999999999", "1e999", "null", "true", "[]", "{}", '""', "x"]
SNIPPETS += ["{{ end }}", "{{ if", "!lambda", "&a", "*a", "return", "4294967295", "0x", ",,", "\n"]
SNIPPETS += ["\t", "%", "U_WORD", "1/0", "..", "a" * 70, "\u200b", "ä", "电", "'", "#", ": "]


@pytest.mark.parametrize("name", list(SAMPLES))
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_source_is_refused_or_drafted(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    text = SAMPLES[name]
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = start + data.draw(st.integers(0, 12))
        text = text[:start] + data.draw(st.sampled_from(SNIPPETS)) + text[end:]
    path: Path = tmp_path_factory.getbasetemp() / f"damaged-{name}"
    path.write_text(text)
    form = "sunspec" if name == "blocks" else name
    try:
        drafts = formats.read([str(path)], form, formats.Options())
    except ConfigError as error:
        assert str(path) in str(error)
        return
    for draft in drafts:
        profile(draft)
