"""The request that a curl command sends, as far as it matters for a configuration."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ringback.first_steps.words import Command, Unreadable, first_command

__all__ = ["CurlRequest", "read_curl"]

_NAMES = {
    "-H": "header", "-d": "data", "-X": "request", "-A": "user-agent", "-b": "cookie", "-u": "user", "-x": "proxy",
    "-E": "cert", "-e": "referer", "-k": "insecure",
}  # fmt: skip
_DATA = {"data", "data-raw", "data-binary", "data-ascii", "json"}
_FURTHER_VALUES = {
    "connect-timeout", "max-time", "retry", "retry-delay", "retry-max-time", "output", "write-out", "resolve",
    "connect-to", "interface", "cookie-jar", "dump-header", "ciphers", "tls-max", "tls13-ciphers", "proxy-user",
    "proxy-header", "noproxy", "max-redirs", "config", "form", "form-string", "upload-file", "data-urlencode",
    "capath", "cert-type", "key-type", "pass", "limit-rate", "range", "stderr", "trace", "trace-ascii", "oauth2-bearer",
    "unix-socket", "dns-servers", "keepalive-time", "local-port", "max-filesize", "preproxy", "socks5", "socks4",
    "socks5-hostname", "socks4a", "url-query", "variable", "aws-sigv4", "hostpubsha256", "expect100-timeout",
}  # fmt: skip
_SHORT_VALUES = "AbcCdDeEFhHKmoPQrtTuUwxXyYz"
_VALUES = {*_NAMES.values(), *_DATA, *_FURTHER_VALUES, "url", "cacert", "key"} - {"insecure"}
_NOT_USED = {"resolve", "connect-to", "interface", "form", "data-urlencode", "unix-socket", "aws-sigv4", "capath"}
_PROGRAM = re.compile(
    r"^[ \t]*(?:[$>%#] +)?(?:.*[|;&] *)?(?:\w+=\S* +)*(?:sudo +|[^\s'\"]*[/\\])?curl(?:\.exe)?(?=[ \t^])",
    re.IGNORECASE | re.MULTILINE,
)
"""The beginning of a line that calls curl: after a prompt, variables, another command or a path."""


@dataclass(slots=True)
class CurlRequest:
    """One request: its URL, headers and body, and how the connection is made."""

    url: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: str | None = None
    insecure: bool = False
    cacert: str | None = None
    cert: str | None = None
    key: str | None = None
    proxy: str | None = None
    notes: list[str] = field(default_factory=list)
    """What the command does and a configuration can't say."""

    @property
    def path(self) -> str:
        """The path of its URL, without query."""
        return re.split(r"[?#]", re.sub(r"^[a-z]+://[^/?#]*", "", self.url, flags=re.IGNORECASE))[0]


def read_curl(text: str) -> list[CurlRequest]:
    """The requests of the curl commands in a text, which may be a whole document. Raises `Unreadable`."""
    text = text.replace("\r\n", "\n").lstrip("\ufeff")
    found = [_request(first_command(text[match.end() :])) for match in _PROGRAM.finditer(text)]
    if not found:
        if re.search("invoke-(?:webrequest|restmethod)", text, re.IGNORECASE):
            raise Unreadable("is a PowerShell command; copy it as cURL (bash) or cURL (cmd)")
        raise Unreadable("has no curl command; paste the whole command, beginning with curl")
    return found


def _request(command: Command) -> CurlRequest:
    request, parts, words = CurlRequest(), list[str](), iter(command.words)
    for word in words:
        for name, value in _options(word, words):
            if name in _DATA:
                part = _data(name, value, command, request)
                parts += [] if part is None else [part]
                if name == "json":
                    request.headers.append(("Content-Type", "application/json"))
            else:
                _apply(request, name, value)
    request.body = "&".join(parts) if parts else None
    return request


def _options(word: str, words: object) -> list[tuple[str, str]]:
    """The options in one word, each by its long name, with its value; `url` for what is no option."""
    following = iter(words)  # type: ignore[call-overload]  # the same iterator that the caller reads
    if word.startswith("--") and len(word) > 2:
        name, equals, value = word[2:].partition("=")
        if equals and name in _VALUES:
            return [(name, value)]
        return [(name, next(following, "") if name in _VALUES else "")]
    if not word.startswith("-") or len(word) < 2:
        return [("url", word)]
    found: list[tuple[str, str]] = []
    for index, letter in enumerate(word[1:], 1):
        name = _NAMES.get(f"-{letter}", letter)
        if letter in _SHORT_VALUES:
            return [*found, (name, word[index + 1 :] or next(following, ""))]
        found.append((name, ""))
    return found


def _data(name: str, value: str, command: Command, request: CurlRequest) -> str | None:
    if name == "data-raw" or not value.startswith("@"):
        return value
    if value == "@-":
        if command.stdin is None:
            request.notes.append("its body comes from standard input, which is not part of the command")
        return command.stdin
    try:
        with open(value[1:], encoding="utf-8-sig") as file:  # noqa: PTH123 - the name is as curl takes it
            return file.read()
    except (OSError, UnicodeDecodeError):
        request.notes.append("the file with its body can't be read from here")
        return None


def _apply(request: CurlRequest, name: str, value: str) -> None:
    if name == "url" and value:
        request.url = request.url or value.strip()
    elif name == "header" and value:
        header, colon, content = value.partition(":")
        if colon and content.strip():
            request.headers.append((header.strip(), content.strip()))
    elif name == "cookie":
        request.headers.append(("Cookie", value))
    elif name in {"user", "oauth2-bearer"}:
        request.headers.append(("Authorization", value))
    elif name == "insecure":
        request.insecure = True
    elif name in {"cacert", "cert", "key", "proxy"}:
        setattr(request, name, value)
    elif name in _NOT_USED:
        request.notes.append(f"its option --{name} has no counterpart in a configuration")
