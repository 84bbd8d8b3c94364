"""Texts that stand in the code: docstrings below constants and attributes."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from types import ModuleType

__all__ = ["attribute_texts"]


def attribute_texts(of: ModuleType | type) -> Mapping[str, str]:
    """Name -> docstring, for the constants of a module or the attributes of a class; empty where there is none."""
    (tree,) = [ast.parse(inspect.getsource(of))]
    body = tree.body if isinstance(of, ModuleType) else tree.body[0].body  # type: ignore[attr-defined]  # a class
    texts = {}
    for node, below in zip(body, [*body[1:], None], strict=True):
        names = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        text = below.value.value if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) else ""
        for name in names:
            if isinstance(name, ast.Name):
                texts[name.id] = " ".join(str(text).split())
    return texts
