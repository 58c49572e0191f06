"""A griffe extension: show reStructuredText roles and literal blocks of docstrings as Markdown."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

_ROLE = re.compile(r':(?:class|func|meth|mod|data|attr|exc|obj):`(~?)([\w.]+)`')
_LITERAL = re.compile(r'::[ ]*$', re.MULTILINE)


class MarkdownDocstrings(Extension):
    """Rewrite each docstring once, before it is parsed."""

    def on_instance(self, *, obj: Object, **kwargs: Any) -> None:
        """Rewrite the docstring of one object."""
        if obj.docstring is not None:
            obj.docstring.value = to_markdown(obj.docstring.value)


def to_markdown(text: str) -> str:
    """Return the docstring with code spans for roles, and ``:`` for ``::`` at the end of a line."""
    text = _ROLE.sub(lambda match: f'`{_shown(match)}`', text)
    return _LITERAL.sub(lambda match: ':' if match.start() and _has_text(text, match) else '', text)


def _shown(match: re.Match[str]) -> str:
    return match[2].rpartition('.')[2] if match[1] else match[2]


def _has_text(text: str, match: re.Match[str]) -> bool:
    return text[: match.start()].rpartition('\n')[2].strip() != ''
