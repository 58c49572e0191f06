"""MkDocs events: add generated pages, expand generated tables, and rewrite repository links."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

import tables
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = 'hydranet_ros'
API_TITLE = 'API reference'
INCLUDED = {
    'index.md': 'README.md',
    'card.md': 'models/street/card.md',
    'contributing.md': 'CONTRIBUTING.md',
    'changelog.md': 'CHANGELOG.md',
}
"""Pages that show a file from outside ``docs/``."""

_LINK = re.compile(r'\[([^\[\]]*)\]\((?![a-z]+:|#)([^)\s#]+)(#[^)\s]*)?\)')


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill the navigation of the API reference."""
    for entry in config.nav or []:
        if API_TITLE in entry:
            entry[API_TITLE] = [{name: f'api/{name}.md'} for name in _api_modules()]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from outside ``docs/`` and one API page for each package."""
    for uri, source in INCLUDED.items():
        files.append(File.generated(config, uri, content=(ROOT / source).read_text('utf-8')))
    for name in _api_modules():
        content = f'# {name}\n\n::: {PACKAGE}.{name}\n'
        files.append(File.generated(config, f'api/{name}.md', content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Expand generated tables and turn links within the repository into links of the site."""
    return _rewrite_links(tables.expand(markdown), page.file.src_uri)


def _api_modules() -> list[str]:
    """Return the packages and top-level modules, without the command line."""
    folder = ROOT / PACKAGE
    names = {path.parent.name for path in folder.glob('*/__init__.py')}
    names |= {path.stem for path in folder.glob('*.py')}
    return sorted(name for name in names - {'cli'} if not name.startswith('__'))


def _rewrite_links(markdown: str, uri: str) -> str:
    """Point links at pages of the site; a link to another file of the repository becomes text."""
    source = INCLUDED.get(uri, f'docs/{uri}')
    pages = {path: page for page, path in INCLUDED.items()}

    def replace(match: re.Match[str]) -> str:
        text, link, anchor = match[1], match[2], match[3] or ''
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
        page = pages.get(target) or _docs_page(target)
        if page:
            return f'[{text}]({posixpath.relpath(page, posixpath.dirname(uri) or ".")}{anchor})'
        if not (ROOT / target).exists():
            raise PluginError(f'{source} links to {link}, which does not exist.')
        return text

    return _LINK.sub(replace, markdown)


def _docs_page(target: str) -> str:
    return target.removeprefix('docs/') if target.startswith('docs/') else ''
