"""Which GitHub repository the book is built from: its buttons and notebooks point there, so a fork's open the fork."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

BRANCH = "main"
PUBLISHED_BRANCH = "gh-pages"  # where .github/workflows/publish.yml puts the site and the notebooks


@dataclass(frozen=True)
class Repository:
    """A repository on GitHub.

    Args:
        slug: "OWNER/REPO".
        commit: what notebooks install the library from: the commit of the build on GitHub, else the main branch.
    """

    slug: str
    commit: str = BRANCH

    @property
    def url(self) -> str:
        """Address of the repository's front page."""
        return f"https://github.com/{self.slug}"

    def colab(self, page: str) -> str:
        """Address that opens the published notebook of `page` ("1-diffusion/noising") in Colab."""
        return f"https://colab.research.google.com/github/{self.slug}/blob/{PUBLISHED_BRANCH}/_sources/{page}.ipynb"

    def binder(self, page: str) -> str:
        """Address that opens the published notebook of `page` in JupyterLab on Binder."""
        return f"https://mybinder.org/v2/gh/{self.slug}/{PUBLISHED_BRANCH}?urlpath=lab/tree/_sources/{page}.ipynb"


def find_repository(folder: Path) -> Repository | None:
    """The repository of this build: GITHUB_REPOSITORY, else the git remote `origin` of `folder`; None if not GitHub."""
    slug = os.environ.get("GITHUB_REPOSITORY", "")
    if slug:
        return Repository(slug, os.environ.get("GITHUB_SHA", BRANCH))
    try:
        remote = subprocess.run(
            ["git", "-C", str(folder), "remote", "get-url", "origin"], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:  # no git on this machine, as with a downloaded archive
        return None
    slug = github_slug(remote.stdout.strip())
    return Repository(slug) if slug else None


def github_slug(remote: str) -> str | None:
    """ "OWNER/REPO" of a git remote such as git@github.com:OWNER/REPO.git, None if it is not on GitHub."""
    host = r"(?:https://(?:[^@/]+@)?|ssh://git@|git@)github\.com[:/]"
    match = re.fullmatch(host + r"([\w.-]+/[\w.-]+?)(?:\.git)?/?", remote)
    return match[1] if match else None
