"""A hook of MkDocs: links from pages to files of the repository, such as `../SECURITY.md`, work in the site too.

On GitHub such a link leads to the file itself. The site gets a copy of it: Markdown as a page, anything else as it is.
A link to a folder leads to its README.md. A link to nothing is left as it is; `mkdocs build --strict` reports it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

__all__ = ["on_files", "on_page_markdown"]

_CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)((?:#[^)\s]*)?)\)")
_COPIES = "repository/"
_DOCS = "docs/"


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add what pages link to, and what those pages link to in turn."""
    root = Path(config.docs_dir).parent
    unread = [file for file in files.documentation_pages() if file.inclusion is not InclusionLevel.EXCLUDED]
    while unread:
        file = unread.pop()
        for link in _LINK.finditer(_CODE.sub("", file.content_string)):
            uri = _in_the_site(file.src_uri, link[1], root)
            if uri is None or files.get_file_from_path(uri) is not None:
                continue
            content = (root / uri.removeprefix(_COPIES)).read_bytes()
            copy = File.generated(config, uri, content=content, inclusion=InclusionLevel.NOT_IN_NAV)
            files.append(copy)
            if copy.is_documentation_page():
                unread.append(copy)
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Have links to files of the repository lead to their copies."""
    del files
    here, root = page.file.src_uri, Path(config.docs_dir).parent

    def to_the_copy(link: re.Match[str]) -> str:
        uri = _in_the_site(here, link[1], root)
        return link[0] if uri is None else f"]({posixpath.relpath(uri, posixpath.dirname(here) or '.')}{link[2]})"

    return _outside_code(markdown, lambda text: _LINK.sub(to_the_copy, text))


def _in_the_site(page: str, link: str, root: Path) -> str | None:
    """Where the file is in the site to which a page links; None if there is no such file."""
    here = page.removeprefix(_COPIES) if page.startswith(_COPIES) else _DOCS + page
    path = posixpath.normpath(posixpath.join(posixpath.dirname(here), link))
    if (root / path).is_dir():
        path += "/README.md"
    if path.startswith("..") or not (root / path).is_file():
        return None
    return path.removeprefix(_DOCS) if path.startswith(_DOCS) else _COPIES + path


def _outside_code(markdown: str, change: Callable[[str], str]) -> str:
    parts, end = [], 0
    for code in _CODE.finditer(markdown):
        parts += [change(markdown[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*parts, change(markdown[end:])])
