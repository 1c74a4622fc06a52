"""How Sphinx builds the book: offline, every cell executed, every warning an error (see `book` in the Makefile)."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

from inputs import LIBRARY, PAGES, fingerprint  # noqa: E402
from repository import BRANCH, find_repository  # noqa: E402

project = html_title = "From Noise to Views"
author = "the authors of From Noise to Views"
project_copyright = "the authors; prose and figures CC BY 4.0, code MIT"
language = "en"

extensions = [
    "sphinx_external_toc",
    "myst_nb",
    "sphinx_design",
    "sphinx_copybutton",
    "sphinx_togglebutton",
    "sphinxcontrib.bibtex",
    "sphinx.ext.githubpages",
    "notebooks",
    "stamp",
]
external_toc_path = "_toc.yml"
exclude_patterns = ["_build", "_static/vendor", "**.ipynb_checkpoints"]
nitpicky = True
numfig = True
math_eqref_format = "({number})"

myst_enable_extensions = ["amsmath", "attrs_block", "attrs_inline", "colon_fence", "deflist", "dollarmath", "linkify"]
myst_heading_anchors = 3
myst_links_external_new_tab = False

bibtex_bibfiles = ["references.bib"]
bibtex_default_style = "plain"
bibtex_reference_style = "author_year"

# The cache looks only at a page's own cells: its folder's name stands for everything else that a result depends on.
nb_execution_mode = "cache"
nb_execution_cache_path = str(HERE / "_build" / "cells" / fingerprint(HERE.parent, LIBRARY))
nb_execution_timeout = 180
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
nb_output_stderr = "remove-warn"  # a page that prints warnings is not finished

# Taken once, before anything is read, so that a file changed during the build makes the build out of date.
build_fingerprint = fingerprint(HERE.parent, (*PAGES, *LIBRARY))

# Nothing is fetched when a page is read. Live figures need a kernel, so the widgets' scripts stay out: tag their cells
# remove-output, which still runs them when the book is built.
mathjax_path = "vendor/mathjax/tex-chtml.js"
mathjax3_config = {"options": {"enableMenu": False}}
nb_ipywidgets_js = {}
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]

repository = find_repository(HERE.parent)
html_theme = "sphinx_book_theme"
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_favicon = "_static/mark.svg"
html_context = {"default_mode": "auto"}  # follow the reader's light or dark setting until they choose
html_theme_options = {
    "logo": {
        "text": "From Noise to Views",
        "alt_text": "Scattered dots that turn into a cube",
        "image_light": "_static/mark.svg",
        "image_dark": "_static/mark.svg",
    },
    "home_page_in_toc": True,
    "show_toc_level": 2,
    "navbar_persistent": [],  # the theme would show a second search field
    "use_download_button": True,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
    "footer_content_items": ["copyright.html"],
}
if repository:
    html_theme_options |= {
        "repository_url": repository.url,
        "repository_branch": BRANCH,
        "path_to_docs": "book",
        "use_repository_button": True,
        "use_issues_button": True,
    }
