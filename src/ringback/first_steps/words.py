"""The words of a command line as bash, cmd.exe or PowerShell would pass them to a program.

Nothing is run or expanded: `$NAME` stays as it is written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

__all__ = ["Command", "Unreadable", "first_command"]

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "e": "\x1b", "E": "\x1b"}
_CODE = re.compile(r"\\(?:u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|x([0-9a-fA-F]{1,2})|([0-7]{1,3}))")
_HEREDOC = re.compile(r"<<(-?)[ \t]*(['\"\\]?)(\w+)\2?")
_CMD = re.compile(r'\^\s*$|\^"', re.MULTILINE)
_TYPOGRAPHIC = re.compile("[\u2018\u2019\u201c\u201d]")


class Unreadable(ValueError):
    """The text is not a command line; the message is `problem; fix`."""


@dataclass(slots=True)
class Command:
    """The words of one command, and what its standard input is, if the text shows it."""

    words: list[str] = field(default_factory=list)
    stdin: str | None = None


def first_command(text: str) -> Command:
    """The command with which a text begins; what follows it may be prose. Raises `Unreadable`."""
    return _in_cmd(text) if _CMD.search(text.partition("\n")[0]) else _Shell(text).command()


class _Shell:
    """Reads the quoting of bash and zsh, and PowerShell's continuation of lines."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._word: str | None = None
        self._command = Command()
        self._ended = False
        self._heredocs: list[tuple[str, bool]] = []
        self._redirected = ""

    def command(self) -> Command:
        while self._at < len(self._text) and not self._ended:
            self._step(self._text[self._at])
        self._end_word()
        if self._heredocs:
            self._at += len(self._text[self._at :].partition("\n")[0]) + 1
            self._read_heredocs()
        return self._command

    def _step(self, char: str) -> None:
        rest = self._text[self._at :]
        if char in "\\`" and rest[1:2] == "\n":
            self._at += 2
        elif rest.startswith("$'"):
            self._ansi()
        elif char == "'":
            end = self._closing("'", self._at + 1)
            self._add(self._text[self._at + 1 : end], end + 1)
        elif char == '"':
            self._double()
        elif char == "\\":
            self._add(rest[1:2], self._at + 2)
        elif char in " \t":
            self._end_word()
            self._at += 1
        elif char == "#" and self._word is None:
            self._at += len(rest.partition("\n")[0])
        elif char in "\n;|&":
            self._ended = True
        elif char in "<>":
            self._redirect(rest)
        else:
            self._add(char, self._at + 1)

    def _add(self, text: str, end: int) -> None:
        self._word = (self._word or "") + text
        self._at = end

    def _end_word(self) -> None:
        if self._word is not None:
            if self._redirected == "<<<":
                self._command.stdin = self._word
            elif not self._redirected:
                self._command.words.append(self._word)
            self._word, self._redirected = None, ""

    def _redirect(self, rest: str) -> None:
        if self._word is not None and self._word.isdigit():
            self._word = None  # the number of a stream, as in 2>
        self._end_word()
        if rest.startswith("<<<"):
            self._redirected, self._at = "<<<", self._at + 3
        elif match := _HEREDOC.match(rest):
            self._heredocs.append((match[3], bool(match[1])))
            self._at += match.end()
        else:
            operator = re.match(r"[<>]+&?", rest)
            self._redirected, self._at = "file", self._at + (operator.end() if operator else 1)

    def _read_heredocs(self) -> None:
        for mark, tabs in self._heredocs:
            lines: list[str] = []
            while self._at < len(self._text):
                line, feed, _ = self._text[self._at :].partition("\n")
                self._at += len(line) + len(feed)
                line = line.lstrip("\t") if tabs else line
                if line == mark:
                    break
                lines.append(f"{line}\n")
            self._command.stdin = "".join(lines)

    def _closing(self, mark: str, start: int) -> int:
        end = self._text.find(mark, start)
        if end < 0:
            raise _not_closed(self._text)
        return end

    def _double(self) -> None:
        at, found = self._at + 1, ""
        while at < len(self._text) and self._text[at] != '"':
            if self._text[at] == "\\" and self._text[at + 1 : at + 2] in {*'\\"$`', "\n"}:
                found += self._text[at + 1].strip("\n")
                at += 2
            else:
                found += self._text[at]
                at += 1
        self._close(found, at)

    def _ansi(self) -> None:
        at, found = self._at + 2, ""
        while at < len(self._text) and self._text[at] != "'":
            if code := _CODE.match(self._text, at):
                found += chr(int(code[1] or code[2] or code[3], 16) if not code[4] else int(code[4], 8))
                at = code.end()
            elif self._text[at] == "\\":
                after = self._text[at + 1 : at + 2]
                found += _ESCAPES.get(after, after)
                at += 2
            else:
                found += self._text[at]
                at += 1
        self._close(found.encode("utf-16", "surrogatepass").decode("utf-16", "replace"), at)

    def _close(self, found: str, at: int) -> None:
        """Add what stood in quotes, whose end is at that place."""
        if at >= len(self._text):
            raise _not_closed(self._text)
        self._add(found, at + 1)


def _not_closed(text: str) -> Unreadable:
    if _TYPOGRAPHIC.search(text):
        return Unreadable("has typographic quotation marks; replace them by plain ones, as a word processor set them")
    return Unreadable("a quotation mark is not closed; copy the whole command")


def _in_cmd(text: str) -> Command:
    """A command in the quoting of cmd.exe: it takes carets away, then the program reads its quotation marks."""
    line, at, quoted = "", 0, False
    while at < len(text) and (quoted or text[at] != "\n"):
        char = text[at]
        if char != "^" or quoted:
            quoted ^= char == '"'
            line, at = line + char, at + 1
        elif text[at + 1 : at + 2] != "\n":
            line, at = line + text[at + 1 : at + 2], at + 2
        else:  # the line goes on; one more line feed stands for itself
            more = text[at + 2 : at + 3] == "\n"
            line, at = line + "\n" * more, at + 2 + more
    return Command(_windows_words(line))


def _windows_words(line: str) -> list[str]:
    """The words of a line as a Windows program reads them: a backslash escapes only quotation marks."""
    words: list[str] = []
    word: str | None = None
    quoted, at = False, 0
    while at < len(line):
        slashes = len(line) - at - len(line[at:].lstrip("\\"))
        if line[at + slashes : at + slashes + 1] == '"':
            word = (word or "") + "\\" * (slashes // 2)
            at += slashes + 1
            if slashes % 2:
                word += '"'
            elif quoted and line[at : at + 1] == '"':
                word, at = f'{word}"', at + 1
            else:
                quoted = not quoted
        elif slashes:
            word, at = (word or "") + "\\" * slashes, at + slashes
        elif line[at] in " \t" and not quoted:
            words += [] if word is None else [word]
            word, at = None, at + 1
        else:
            word, at = (word or "") + line[at], at + 1
    if quoted:
        raise _not_closed(line)
    return [*words, *([] if word is None else [word])]
