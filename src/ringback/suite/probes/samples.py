"""Test text: names in many scripts, and values with special characters. Without digits: there is nothing to dial."""

from __future__ import annotations

__all__ = ["AWKWARD_VALUES", "NAMES_IN_MANY_SCRIPTS"]

NAMES_IN_MANY_SCRIPTS = {
    "Latin with accents": "Zoë",
    "Turkish": "İpek Işı",
    "Greek": "Ελένη",
    "Cyrillic": "Илья",
    "Arabic": "ليلى",
    "Hebrew": "נעמי",
    "Devanagari": "उषा",
    "Thai": "สมชาย",
    "Chinese": "王小明",
    "a rare Chinese character beyond the basic plane": "𠮷野",
    "Korean": "민수",
    "Japanese": "さくら",
    "combining marks": "A\u030asa",
    "emoji": "👩🏽‍💻🎉",
}
"""Short, because one EndUser has them all, and many deployments allow a name 100 characters."""

AWKWARD_VALUES = {
    "that is empty": "",
    "with double quotes": 'say "hello"',
    "with single quotes": "O'Brien's; it's",
    "with percent signs": "100 % sure %s %n %d".replace("100", "quite"),
    "with angle brackets": "<b>bold</b> & <script>x</script>",
    "with backslashes": "C:\\temp\\new \\u \\",
    "with line breaks": "first line\nsecond line\r\nthird line",
    "with a tab": "left\tright",
    "with braces": "{{name}} ${value} {x}",
    "in another script": "Grüße, 你好, مرحبا, 🎉",
    "of 255 characters": ("a long value " * 20)[:254] + ".",
    "of 255 characters in another script": ("длинное значение " * 15)[:254] + ".",
    "that looks like SQL": "x'; DROP TABLE calls; --",
}
