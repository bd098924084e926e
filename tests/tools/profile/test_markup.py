"""Pages as Markdown and HTML: nothing a profile says can become markup."""

from __future__ import annotations

import html
import re

from hypothesis import given
from hypothesis import strategies as st

from tools.profile.telling.markup import (
    Code,
    Heading,
    Items,
    Page,
    Paragraph,
    Table,
    bold,
    code,
    link,
)

EVIL = "<script>alert(1)</script> | [x](javascript:y) `*_&"


def shown() -> Page:
    page = Page("Title")
    page.add(
        Heading(2, "Part"),
        Paragraph(
            ["plain ", bold("strong"), " ", code("a|b"), " ", link("site", "https://a.example/x")]
        ),
        Items(["one", code("two")]),
        Table(["a", "empty", "b"], [["1", "", code("x")], ["2", "", "y"]]),
        Code("k: v\n", "yaml"),
        Table(["no", "rows"], []),
    )
    return page


def test_markup_as_markdown() -> None:
    assert (
        shown().markdown()
        == """\
# Title

## Part

plain **strong** `a\\|b` [site](https://a.example/x)

* one
* `two`

| a | b |
| --- | --- |
| 1 | `x` |
| 2 | y |

```yaml
k: v
```
"""
    )


def test_markup_as_html_is_one_document_without_scripts_or_links_to_files() -> None:
    text = shown().html("de")
    assert text.startswith('<!doctype html>\n<html lang="de">')
    for part in ("<h2>Part</h2>", "<b>strong</b>", "<code>a|b</code>", "<li>one</li>"):
        assert part in text
    assert '<a href="https://a.example/x">site</a>' in text
    assert "<script" not in text
    assert not re.findall(r'(src|href)="(?!https://a.example)', text)


def test_markup_escapes_what_a_profile_says() -> None:
    page = Page(EVIL)
    page.add(Paragraph(EVIL), Table([EVIL], [[EVIL]]), Items([EVIL]), Paragraph(bold(EVIL)))
    assert "<script>" not in page.html()
    assert page.html().count(html.escape(EVIL)) == 7
    for line in page.markdown().splitlines():
        assert "<script>" not in line.replace("\\<script\\>", "")
    row = page.markdown().splitlines()[4]
    assert len(re.findall(r"(?<!\\)\|", row)) == 2


def test_markup_links_lead_to_the_web_or_to_our_pages_only() -> None:
    for target in ("javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "a b"):
        assert link("x", target) == "x"
    assert link("x", "https://a.example/(b)") != "x"
    page = Page("t")
    page.add(Paragraph(link("x", "https://a.example/(b)")))
    assert "(https://a.example/%28b%29)" in page.markdown()


def test_markup_keeps_ids_readable() -> None:
    page = Page("t")
    page.add(Paragraph("voltage_l1 and _this_"))
    assert "voltage_l1 and \\_this\\_" in page.markdown()


@given(st.text(max_size=60))
def test_markup_of_any_text_keeps_a_table_in_form(text: str) -> None:
    page = Page("t")
    page.add(Table(["a", "b"], [[text, code(text)], ["x", "y"]]))
    rows = [line for line in page.markdown().split("\n") if line.startswith("|")]
    assert len(rows) == 4
    assert html.escape(text) in page.html()
