"""Publishes each chapter as an executed notebook beside its page, ready for Colab, with buttons that open it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from crossrefs import reference_words
from jupyter_cache import get_cache
from plain_markdown import plain_markdown
from repository import Repository
from sphinx.application import Sphinx

# What the library imports and Colab lacks, each installed alone: Colab keeps its own torch, numpy and ipywidgets.
MISSING_ON_COLAB = "einops jaxtyping wadler-lindig trimesh embreex anywidget psygnal"

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"

# PyTorch from conda-forge comes without the gigabytes of GPU libraries, which Binder could not use.
BINDER_ENVIRONMENT = """\
channels: [conda-forge, nodefaults]
dependencies:
  - python=3.11
  - pytorch-cpu
  - pip
  - pip: ["minilib[live] @ git+{repository.url}@{repository.commit}"]
"""


def publish_notebook(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Writes _sources/PAGE.ipynb for an executed page and adds the download and launch buttons that lead to it."""
    if doctree is None or "kernelspec" not in app.env.metadata[page]:
        return
    repository: Repository | None = app.config.repository
    executed = Path(app.outdir).parent / "jupyter_execute" / f"{page}.ipynb"
    notebook = nbformat.read(executed, as_version=4)
    # MyST-NB writes a notebook without its results when they came from the cache, so they are always taken from there.
    _, notebook = get_cache(app.config.nb_execution_cache_path).merge_match_into_notebook(notebook)
    drop_widgets(notebook, context)
    words = reference_words(app.env, page)
    notebook.cells = [plain for cell in notebook.cells for plain in plain_cells(cell, words)]
    if repository:
        notebook.cells.insert(0, setup_cell(repository))
    published = Path(app.outdir) / "_sources" / f"{page}.ipynb"
    published.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, published)
    context["ipynb_source"] = f"{page}.ipynb"
    if repository:
        context["header_buttons"].append(launch_buttons(repository, page))


def plain_cells(cell: nbformat.NotebookNode, words: Mapping[str, str]) -> list[nbformat.NotebookNode]:
    """A cell in plain Markdown; one that makes a figure is followed by the figure's caption."""
    if cell.cell_type == "markdown":
        cell.source = plain_markdown(cell.source, words)
    figure = cell.metadata.get("mystnb", {}).get("figure", {})
    if "caption" not in figure:
        return [cell]
    name = figure.get("name", "figure")
    caption = f"**{words.get(name, 'Figure')}.** {plain_markdown(figure.caption, words)}"
    return [cell, nbformat.v4.new_markdown_cell(caption, id=f"caption-{name}"[:64])]


def drop_widgets(notebook: nbformat.NotebookNode, context: dict[str, Any]) -> None:
    """Takes the frozen state of live figures out of a notebook and its page: without a kernel they only look alive."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if WIDGET_VIEW not in output.get("data", {})]
    scripts = context["script_files"]
    context["script_files"] = [file for file in scripts if getattr(file, "attributes", {}).get("type") != WIDGET_STATE]


def setup_cell(repository: Repository) -> nbformat.NotebookNode:
    """A first cell that installs the library on Colab, at the commit the book was built from; elsewhere it is idle."""
    source = (
        "# On Colab: install the course's library, and leave torch, numpy and ipywidgets as they are there.\n"
        "import sys\n\n"
        'if "google.colab" in sys.modules:\n'
        f'    %pip install --quiet --no-deps "minilib @ git+{repository.url}@{repository.commit}" {MISSING_ON_COLAB}'
    )
    return nbformat.v4.new_code_cell(source, id="set-up-colab")


def launch_buttons(repository: Repository, page: str) -> dict[str, Any]:
    """A launch menu like the theme's own, whose links would open the page's Markdown source as plain text."""
    places = {
        "Colab": ("logo_colab.png", repository.colab(page)),
        "Binder": ("logo_binder.svg", repository.binder(page)),
    }
    return {
        "type": "group",
        "label": "launch-buttons",
        "tooltip": "Run this page",
        "icon": "fas fa-rocket",
        "buttons": [
            {"type": "link", "text": name, "tooltip": f"Run on {name}", "icon": f"_static/images/{logo}", "url": url}
            for name, (logo, url) in places.items()
        ],
    }


def publish_environment(app: Sphinx, error: Exception | None) -> None:
    """Writes the site's environment.yml, from which Binder makes the machine that runs the published notebooks."""
    repository: Repository | None = app.config.repository
    if error is None and repository:
        (Path(app.outdir) / "environment.yml").write_text(BINDER_ENVIRONMENT.format(repository=repository))


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx extension entry; `repository` is where the book is built from, or None."""
    app.add_config_value("repository", None, "html", types=[Repository, type(None)])
    # At the theme's own priority, and before it because extensions are set up before themes: its list of buttons exists
    # by then (500), and its download menu, which looks for `ipynb_source`, comes after.
    app.connect("html-page-context", publish_notebook, priority=501)
    app.connect("build-finished", publish_environment)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
