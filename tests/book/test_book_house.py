"""How the book is built: from which repository, with which buttons and first cell, and what stops it."""

import os
import shutil
import subprocess
import sys

import nbformat
import pytest
from bookhouse import HEADER, ROOT
from notebooks import setup_cell
from plain_markdown import plain_markdown
from repository import Repository, find_repository, github_slug

PAGE = (
    HEADER
    + """# A page

```{code-cell} ipython3
%s
```
"""
)


@pytest.mark.parametrize(
    "remote, slug",
    [
        ("https://github.com/owner/course.git", "owner/course"),
        ("https://github.com/owner/course", "owner/course"),
        ("https://token@github.com/owner/my.course.git", "owner/my.course"),
        ("git@github.com:owner/course.git", "owner/course"),
        ("ssh://git@github.com/owner/course.git", "owner/course"),
        ("https://gitlab.com/owner/course.git", None),
        ("https://example.org/github.com/owner/course", None),
        ("/srv/course.git", None),
        ("", None),
    ],
)
def test_repository_of_a_remote(remote, slug):
    assert github_slug(remote) == slug


def test_repository_from_the_environment_names_the_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_REPOSITORY", "someone/fork")
    monkeypatch.setenv("GITHUB_SHA", "0123abc")
    assert find_repository(tmp_path) == Repository("someone/fork", "0123abc")


def test_repository_from_the_git_remote(tmp_path, monkeypatch):
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    assert find_repository(tmp_path) is None
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    assert find_repository(tmp_path) is None
    subprocess.run(["git", "-C", tmp_path, "remote", "add", "origin", "git@github.com:me/book.git"], check=True)
    assert find_repository(tmp_path) == Repository("me/book", "main")


def test_setup_cell_installs_on_colab_only_and_leaves_its_packages_alone():
    source = setup_cell(Repository("someone/fork", "0123abc")).source
    assert "git+https://github.com/someone/fork@0123abc" in source
    assert "--no-deps" in source
    installed = source.split("--no-deps", 1)[1]
    assert not {"torch", "numpy", "ipywidgets"} & set(installed.split())
    plain = source.replace("%pip", "raise AssertionError #")
    exec(plain, {})  # does nothing outside Colab


def test_plain_markdown_for_readers_without_myst():
    source = """(target)=
# Title

See {numref}`fig-a`, {doc}`the notation <../notation>`, {cite:t}`ho2020ddpm` and {math}`x`\n{cite:p}`ho2020ddpm,new`.

$$
a = b
$$ (eq-a)

```{admonition} You will
:class: tip
read {term}`SNR`.
```
"""
    words = {"fig-a": "Figure 3", "eq-a": "(4)", "ho2020ddpm": "Ho et al. (2020)"}
    plain = plain_markdown(source, words)
    assert "(target)=" not in plain and "(eq-a)" not in plain
    assert "See Figure 3, the notation, Ho et al. (2020) and $x$\n(Ho et al., 2020; new)." in plain
    assert "a = b\n\\tag{4}\n$$" in plain
    assert "> **You will**\n>\n> read SNR." in plain
    assert ":class:" not in plain


def build(folder, cell, **environment):
    """Builds a book of one page with the real configuration; returns the process and the folder of its site."""
    book = folder / "book"
    ignored = shutil.ignore_patterns("_build", "vendor", "*.md", "[0-9]*")
    shutil.copytree(ROOT / "book", book, ignore=ignored, dirs_exist_ok=True)
    (book / "_toc.yml").write_text("format: jb-book\nroot: page\n")
    (book / "page.md").write_text(PAGE % cell)
    site = book / "_build" / "html"
    options = ["--builder", "html", "--fail-on-warning", "--keep-going", "--fresh-env"]
    command = [sys.executable, "-m", "sphinx", *options, str(book), str(site)]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}
    done = subprocess.run(command, env=inherited | environment, capture_output=True, text=True, check=False)
    return done, site


def test_buttons_and_notebook_point_to_the_repository_of_the_build(tmp_path):
    done, site = build(tmp_path, "print(6 * 7)", GITHUB_REPOSITORY="someone/fork", GITHUB_SHA="0123abc")
    assert done.returncode == 0, done.stderr
    html = (site / "page.html").read_text()
    assert "https://colab.research.google.com/github/someone/fork/blob/gh-pages/_sources/page.ipynb" in html
    assert "https://mybinder.org/v2/gh/someone/fork/gh-pages?urlpath=lab/tree/_sources/page.ipynb" in html
    assert "minilib[live] @ git+https://github.com/someone/fork@0123abc" in (site / "environment.yml").read_text()
    assert "https://github.com/someone/fork/issues/new" in html
    first, *_, last = nbformat.read(site / "_sources" / "page.ipynb", as_version=4).cells
    assert "someone/fork@0123abc" in first.source
    assert last.outputs[0].text == "42\n"


def test_results_from_the_cache_are_published_too(tmp_path):
    cell = "import os; print(os.getpid())"
    first, second = (build(tmp_path, cell) for _ in range(2))
    assert first[0].returncode == second[0].returncode == 0
    assert "Using cached notebook" in second[0].stdout + second[0].stderr
    assert (
        nbformat.read(second[1] / "_sources" / "page.ipynb", as_version=4).cells[-1].outputs[0].text.strip().isdigit()
    )


def test_without_a_repository_there_are_no_buttons_and_no_warnings(tmp_path):
    done, site = build(tmp_path, "print(6 * 7)")
    assert done.returncode == 0, done.stderr
    html = (site / "page.html").read_text()
    assert "colab" not in html and "mybinder" not in html and "github.com" not in html
    assert "page.ipynb" in html
    assert len(nbformat.read(site / "_sources" / "page.ipynb", as_version=4).cells) == 2


def test_live_figures_leave_nothing_frozen_behind(tmp_path):
    done, site = build(tmp_path, "import ipywidgets\nipywidgets.IntSlider()")
    assert done.returncode == 0, done.stderr
    assert "jupyter.widget" not in (site / "page.html").read_text()
    assert "jupyter.widget" not in (site / "_sources" / "page.ipynb").read_text()


@pytest.mark.parametrize("cell", ["raise RuntimeError('broken')", "import warnings; warnings.warn('old')"])
def test_a_cell_that_fails_or_warns_fails_the_build(tmp_path, cell):
    done, _ = build(tmp_path, cell)
    assert done.returncode != 0
    assert "RuntimeError" in done.stderr or "stderr" in done.stderr
