"""A griffe extension: prepare the reStructuredText docstrings for display as Markdown."""

from __future__ import annotations

import re
from typing import Any

from griffe import Class, Extension, Object

_ROLE = re.compile(r':(?:class|func|meth|mod|data|attr|exc|obj):`(~?)([\w.]+)`')
_LITERAL = re.compile(r'::[ ]*$', re.MULTILINE)
_SHARED = re.compile(r'^:param (\w+(?:, \w+)+): (.+(?:\n +.+)*)$', re.MULTILINE)
_PARAM = re.compile(r'^:param (\w+):', re.MULTILINE)


class MarkdownDocstrings(Extension):
    """Rewrite each docstring once, before it is parsed."""

    def on_instance(self, *, obj: Object, **kwargs: Any) -> None:
        """Rewrite the docstring of one object."""
        if obj.docstring is not None:
            obj.docstring.value = to_markdown(obj.docstring.value)

    def on_class_members(self, *, cls: Class, **kwargs: Any) -> None:
        """Mark documented attributes that are no parameters of the constructor."""
        if cls.docstring is None or any('dataclass' in str(d.value) for d in cls.decorators):
            return
        init = cls.members.get('__init__')
        parameters = {item.name for item in getattr(init, 'parameters', ())}

        def directive(match: re.Match[str]) -> str:
            return match[0] if match[1] in parameters else f':ivar {match[1]}:'

        cls.docstring.value = _PARAM.sub(directive, cls.docstring.value)


def to_markdown(text: str) -> str:
    """
    Return a docstring without roles, literal-block marks, and names that share a directive.

    Roles become code spans, ``text::`` before a literal block becomes ``text:``, and
    ``:param a, b: text`` becomes one directive for each name.
    """
    text = _ROLE.sub(lambda match: f'`{_shown(match)}`', text)
    text = _SHARED.sub(lambda match: '\n'.join(
        f':param {name}: {match[2]}' for name in match[1].split(', ')
    ), text)  # fmt: skip
    return _LITERAL.sub(lambda match: ':' if _follows_text(text, match) else '', text)


def _shown(match: re.Match[str]) -> str:
    return match[2].rpartition('.')[2] if match[1] else match[2]


def _follows_text(text: str, match: re.Match[str]) -> bool:
    return text[: match.start()].rpartition('\n')[2].strip() != ''
