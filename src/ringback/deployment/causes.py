"""Why a deployment accepts no valid trigger at all: one cause, in one sentence.

`diagnose` reads what became of the first valid triggers, and what `port.look_at` found where no HTTP answer came. It is
pure; check and load both use it, so that they say the same of the same server. A cause that is `ours` most likely lies
in the configuration or between Ringback and the deployment: it proves nothing about the deployment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import SplitResult, urlsplit

from ringback.config import Deployment
from ringback.contract.endpoints import TRIGGER_PATH

__all__ = ["FEW", "Cause", "Port", "Symptom", "diagnose", "refusals", "speaks_of_https"]

FEW = 3
"""So many first triggers decide whether nothing works; no more are sent if they all show the same cause."""

_QUOTED = 100
_READ = 4096
_HTML = re.compile(rb"<(?:!doctype\s+html|html)\b", re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<(?:script|style)\b.*?</(?:script|style)>|<[^>]*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_HTTPS_EXPECTED = (
    b"plain http request was sent to https port",
    b"client sent an http request to an https server",
    b"speaking plain http to an ssl-enabled server port",
    b"this combination of host and port requires tls",
)
"""How nginx, Go, Apache and Tomcat answer plain HTTP on a port for HTTPS."""
_CERTIFICATE_EXPECTED = (b"no required ssl certificate was sent", b"the ssl certificate error")
"""How nginx answers a client without a certificate, or with a wrong one."""

_REFUSES = (
    "the deployment refuses what the documents show; if it misses something, check project, tenant, scenario_path and "
    "orchestrator_url"
)


@dataclass(frozen=True, slots=True)
class Symptom:
    """What became of one valid trigger: status, headers (names in lower case) and body; no status without an answer."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class Port:
    """What listens at the configured address, where no HTTP/1.1 answer came from it."""

    kind: str
    """`tls`, `plain`, `http2`, `client-certificate`, `authority` or `certificate`."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why nothing works: what came and from whom, then what to change."""

    kind: str
    came: str
    fix: str
    ours: bool = True
    """Whether configuration or network is the likely cause; if not, the deployment fails."""
    certain: bool = True
    """Whether a few answers are enough; if not, other forms of a valid trigger may still be accepted."""

    @property
    def sentence(self) -> str:
        """The whole statement."""
        return f"{self.came}: {self.fix}"

    @property
    def elsewhere(self) -> str:
        """What a clause says that could not be decided because of it."""
        if self.ours:
            return self.sentence
        return f"{self.came} (see {'TRN-02' if self.kind in {'authority', 'certificate'} else 'REQ-01'})"


Clean = Callable[[str], str]


def diagnose(
    symptoms: Sequence[Symptom],
    deployment: Deployment,
    port: Port | None = None,
    clean: Clean = str,
    sent: str = "every valid trigger",
) -> Cause | None:
    """The one cause that all these triggers show, or None: one was accepted, or they differ, or none is known.

    `clean` redacts a text of the deployment; it is applied before the text is cut. `sent` are words for the requests.
    """
    if not symptoms or any(symptom.accepted for symptom in symptoms):
        return None
    causes = [_cause(symptom, deployment, port, clean, sent) for symptom in symptoms]
    first = causes[0]
    if first is None or any(cause is None for cause in causes):
        return None
    alike = all(cause is not None and (cause.kind == first.kind or (cause.ours and first.ours)) for cause in causes)
    return first if alike else None


def refusals(symptoms: Sequence[Symptom], deployment: Deployment) -> Cause:
    """The statement on a deployment that answered every form of a valid trigger, each in its own way, with no id."""
    statuses = ", ".join(dict.fromkeys(str(symptom.status) for symptom in symptoms if symptom.status is not None))
    came = f"{_netloc(deployment)} refused every form of a valid trigger (statuses: {statuses})"
    return Cause("refused", came, _REFUSES, ours=False, certain=False)


def speaks_of_https(answer: bytes) -> bool:
    """Whether an answer to plain HTTP says that the port is one for HTTPS."""
    return any(words in answer[:_READ].lower() for words in _HTTPS_EXPECTED)


def _cause(symptom: Symptom, deployment: Deployment, port: Port | None, clean: Clean, sent: str) -> Cause | None:
    if symptom.status is None:
        return None if port is None else _of_port(port, deployment, clean)
    return _of_answer(symptom, deployment, clean, sent)


def _of_port(port: Port, deployment: Deployment, clean: Clean) -> Cause:
    where = _netloc(deployment)
    other = _with_scheme(deployment, "http" if deployment.base_url.startswith("https:") else "https")
    detail = _one_line(clean(port.detail))
    match port.kind:
        case "tls":
            came, fix = f"{where} speaks TLS, and base_url is plain HTTP", f'set base_url = "{other}"'
        case "plain":
            came, fix = f"{where} does not speak TLS, and base_url is HTTPS", f'set base_url = "{other}"'
        case "http2":
            came = f"{where} answers HTTP/1.1 with HTTP/2 frames"
            fix = "have HTTP/1.1 enabled there, or set base_url to a port that has it"
        case "client-certificate" if deployment.client_cert is not None:
            came = f"{where} does not accept the client certificate ({detail})"
            fix = "set client_cert and client_key to a certificate that it trusts, with its intermediates"
        case "client-certificate":
            came = f"{where} demands a client certificate ({detail})"
            fix = "set client_cert and client_key"
        case "authority" if deployment.ca_bundle is not None:
            came = f"the certificate of {where} does not chain to ca_bundle ({detail})"
            fix = "set ca_bundle to the certificate of the authority that issued it, or have the intermediates sent"
            return Cause(port.kind, came, fix, ours=False)
        case "authority":
            came = f"the certificate of {where} is not issued by an authority that this machine trusts ({detail})"
            fix = "set ca_bundle to the PEM file of the authority that issued it"
        case _:
            came = f"the certificate of {where} is not valid ({detail})"
            return Cause(port.kind, came, "have it replaced, or correct base_url", ours=False)
    return Cause(port.kind, came, fix)


def _of_answer(symptom: Symptom, deployment: Deployment, clean: Clean, sent: str) -> Cause | None:
    status = symptom.status
    assert status is not None  # noqa: S101 - the caller has looked
    body = symptom.body[:_READ].removeprefix(b"\xef\xbb\xbf").lstrip()
    page = body.startswith(b"<") and _HTML.search(body) is not None
    came = f"{_who(symptom, deployment, clean)} answered {sent} with {status}"
    quoted = _first_line(symptom.body, clean, page=page)
    if quoted:
        came += f' and {"an HTML page" if page else "the text"} "{quoted}"'
    elif page:
        came += " and an HTML page"
    lower = symptom.body[:_READ].lower()
    if status < 500 and speaks_of_https(lower):
        return Cause("tls", came, f'set base_url = "{_with_scheme(deployment, "https")}"')
    if status < 500 and any(words in lower for words in _CERTIFICATE_EXPECTED):
        return Cause("client-certificate", came, "set client_cert and client_key to a certificate that it trusts")
    if 300 <= status < 400:
        return _redirect(symptom, deployment, came, clean)
    if page and (status < 300 or status == 403):
        fix = (
            "a firewall, a proxy or a login page answers in place of the API: let Ringback's requests pass, or set "
            "base_url to an address behind it"
        )
        return Cause("page", came, fix)
    if status < 300:
        return None
    return _by_status(status, symptom, deployment, came)


def _by_status(status: int, symptom: Symptom, deployment: Deployment, came: str) -> Cause:
    upgrade = symptom.headers.get("upgrade", "")
    match status:
        case 401:
            fix = f"check project, tenant and {_token(deployment)}"
        case 403:
            fix = f"check project, tenant and {_token(deployment)}, and whether this machine may use the API"
        case 404 | 405 | 410:
            path = f"{urlsplit(deployment.base_url).path.rstrip('/')}{TRIGGER_PATH}"
            fix = (
                f"check whether the API is at {path} there (base_url is the address before /v2/call), and whether "
                "project and scenario_path exist"
            )
        case 407:
            fix = "a proxy in between wants credentials: have it let Ringback pass"
        case 415:
            fix = (
                "each trigger is sent as application/json, as documented: check whether base_url is the address of "
                "this API, or whether something in between changes the header Content-Type"
            )
        case 421:
            fix = "check the host in base_url: the server does not serve this name"
        case 426 if "tls" in upgrade.lower():
            return Cause("tls", came, f'set base_url = "{_with_scheme(deployment, "https")}"')
        case 426 | 505:
            wants = _one_line(upgrade)[:20]
            protocol = f" ({wants})" if wants and wants.isascii() else ""
            fix = f"it wants another protocol{protocol}: "
            if deployment.base_url.startswith("http:"):
                fix += f'try base_url = "{_with_scheme(deployment, "https")}"'
            else:
                fix += "have HTTP/1.1 enabled, or set base_url to a port that has it"
        case 511:
            fix = "the network wants a login before it lets requests pass: log in, then try again"
        case 502 | 503 | 504:
            fix = "the deployment, or what it stands behind, does not work: look into its log"
            return Cause("server-error", came, fix, ours=False)
        case _ if status >= 500:
            return Cause("server-error", came, "the deployment fails: look into its log", ours=False)
        case _:
            return Cause(f"status-{status}", came, _REFUSES, ours=False, certain=False)
    return Cause(f"status-{status}", came, fix)


def _redirect(symptom: Symptom, deployment: Deployment, came: str, clean: Clean) -> Cause:
    location = symptom.headers.get("location", "")
    there, here = _split(location), urlsplit(deployment.base_url)
    if there is None or not (there.scheme and there.hostname):
        shown = f" to {_one_line(clean(location))}" if location else " without a Location"
        fix = "Ringback follows no redirect: set base_url to the address that answers triggers itself"
        return Cause("redirect", f"{came}, a redirect{shown}", fix)
    came = f"{came}, a redirect to {_one_line(clean(location))}"
    path = there.path.rstrip("/")
    if path.endswith(TRIGGER_PATH):
        base = f"{there.scheme}://{there.netloc.rpartition('@')[2]}{path.removesuffix(TRIGGER_PATH)}"
        return Cause("redirect", came, f'set base_url = "{_one_line(clean(base))}"')
    if there.hostname == here.hostname and there.scheme == "https" and here.scheme == "http":
        return Cause("redirect", came, f"use https://{_one_line(clean(there.netloc.rpartition('@')[2]))} in base_url")
    fix = "a login page or another service answers in place of the API: set base_url to the address of the API itself"
    return Cause("redirect", came, fix)


def _split(location: str) -> SplitResult | None:
    try:
        parts = urlsplit(location)
        _ = parts.port
    except ValueError:
        return None
    return parts if parts.scheme in {"http", "https"} else None


def _who(symptom: Symptom, deployment: Deployment, clean: Clean) -> str:
    server = _one_line(clean(symptom.headers.get("server", "")))[:40]
    return f"{_netloc(deployment)} ({server})" if server else _netloc(deployment)


def _netloc(deployment: Deployment) -> str:
    return urlsplit(deployment.base_url).netloc


def _with_scheme(deployment: Deployment, scheme: str) -> str:
    return urlsplit(deployment.base_url)._replace(scheme=scheme).geturl()


def _token(deployment: Deployment) -> str:
    if deployment.access_token_file is not None:
        return "the access token in access_token_file"
    if deployment.access_token_command is not None:
        return "the access token that access_token_command prints"
    return f"the access token in ${deployment.access_token_env}"


def _first_line(body: bytes, clean: Clean, *, page: bool) -> str:
    """The first line of an answer that a reader can see: a page's title, else its first text."""
    text = clean(body[:_READ].decode("utf-8", "replace"))
    if page:
        title = _TITLE.search(text)
        text = unescape(title[1] if title and title[1].strip() else _TAG.sub("\n", text))
        text = clean(text)
    line = next((line for line in text.splitlines() if line.strip()), "")
    return _one_line(line)


def _one_line(text: str) -> str:
    """Text of a deployment on one line, with harmless characters only, and cut."""
    shown = " ".join("".join(c if c.isprintable() else " " for c in text).split()).replace('"', "'")
    return shown if len(shown) <= _QUOTED else f"{shown[:_QUOTED]}…"
