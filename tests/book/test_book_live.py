"""The live counterpart: controls change the picture, in a kernel and in JupyterLab itself."""

import io
import math
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from bookhouse import HEADER, ROOT
from PIL import Image
from playwright.sync_api import Page

from minilib.diffusion.process import GaussianDiffusion
from minilib.diffusion.schedules import make_betas
from minilib.interactive.live import caption_search, noising_lab, view_lab

CHAPTER = "1-diffusion/noising.md"
FIGURES = (
    HEADER
    + """```{code-cell} ipython3
import torch
from minilib.diffusion.process import GaussianDiffusion
from minilib.diffusion.schedules import make_betas
from minilib.interactive import Flipbook
from minilib.interactive.live import noising_lab

Flipbook({"": [torch.zeros(3, 8, 8), torch.ones(3, 8, 8)]}, ["grey", "white"], alt="A square")
```

```{code-cell} ipython3
noising_lab(torch.zeros(3, 32, 32), {"linear": GaussianDiffusion(make_betas("linear"))})
```
"""
)


@pytest.fixture
def lab():
    processes = {name: GaussianDiffusion(make_betas(name)) for name in ("linear", "cosine")}
    return noising_lab(torch.zeros(3, 8, 8), processes, scale=2)


def test_every_control_changes_the_picture(lab):
    seen = {lab.picture.value}
    for control, value in ((lab.time, 400), (lab.schedule, "cosine"), (lab.seed, 1)):
        control.value = value
        seen.add(lab.picture.value)
    assert len(seen) == 4
    assert lab.readout.value.startswith("cosine schedule, t = 400: SNR ")


def test_same_controls_give_the_same_picture(lab):
    before = lab.picture.value
    lab.seed.value = 5
    lab.seed.value = 0
    assert lab.picture.value == before


def test_picture_is_scaled_without_blurring(lab):
    lab.time.value = 999
    pixels = np.asarray(Image.open(io.BytesIO(lab.picture.value)))
    assert pixels.shape == (16, 16, 3)
    assert (pixels[::2, ::2] == pixels[1::2, 1::2]).all()


def test_a_caption_finds_its_pictures_and_a_bad_one_leaves_them():
    images = torch.linspace(-1, 1, 3)[:, None, None, None].expand(-1, 3, 4, 4)
    words = {"black": torch.tensor([1.0, 0.0, 0.0]), "white": torch.tensor([0.0, 0.0, 1.0])}

    def encode(caption):
        if caption not in words:
            raise ValueError(f"expected a known word, got {caption!r} & more")
        return words[caption]

    box = caption_search(images, torch.eye(3), encode, caption="black", shown=2, scale=3)

    def first():
        return np.asarray(Image.open(io.BytesIO(box.pictures.children[0].value)))

    assert first().shape == (12, 12, 3) and (first() == 0).all()
    assert box.readout.value == "cosines 1.00, 0.00"
    box.caption.value = "white"
    assert (first() == 255).all()
    box.caption.value = "grey"
    assert (first() == 255).all()
    assert box.readout.value == "expected a known word, got 'grey' &amp; more"


def test_view_lab_draws_from_where_the_camera_stands():
    asked = []

    def draw(azimuth, elevation, seed):
        asked.append((azimuth, elevation, seed))
        return torch.full((3, 4, 6), seed - 1.0)

    box = view_lab(draw, scale=2)

    def seen():
        return np.asarray(Image.open(io.BytesIO(box.picture.value)))

    assert asked == [(0.0, 0.0, 0)] and seen().shape == (8, 12, 3) and (seen() == 0).all()
    box.azimuth.value, box.elevation.value, box.seed.value = -90, 45, 5
    assert asked[-1] == pytest.approx((-math.pi / 2, math.pi / 4, 5)) and (seen() == 255).all()


@pytest.fixture
def jupyterlab(tmp_path) -> Iterator[tuple[str, str]]:
    """A JupyterLab of the test's own, with a copy of the chapter and a short notebook: its address and token."""
    (tmp_path / "chapter.md").write_text((ROOT / "book" / CHAPTER).read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "figures.md").write_text(FIGURES, encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--ip=127.0.0.1", f"--port={port}"]
    command += ["--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={tmp_path}"]
    command += ["--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    folders = {f"JUPYTER_{kind}_DIR": str(tmp_path / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
    folders["JUPYTERLAB_WORKSPACES_DIR"] = folders["JUPYTERLAB_SETTINGS_DIR"] = str(tmp_path / "lab")
    # Else JupyterLab takes cells out of the page that are out of sight, and no test could wait for them.
    tracker = tmp_path / "lab" / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    tracker.parent.mkdir(parents=True)
    tracker.write_text('{"windowingMode": "none"}')
    log = (tmp_path / "lab.log").open("w")
    allowed = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    server = subprocess.Popen([*command, *allowed], env={**os.environ, **folders}, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{address}/api?token={token}", timeout=1)
                break
            except OSError:
                if server.poll() is not None:
                    break
                time.sleep(0.25)
        else:
            server.kill()
        if server.poll() is not None:
            pytest.fail(f"JupyterLab did not start: {(tmp_path / 'lab.log').read_text()[-2000:]}")
        yield address, token
    finally:
        server.terminate()
        server.wait(timeout=20)
        log.close()


def open_notebook(page: Page, name: str) -> None:
    """Opens a Markdown file as the reader is told to: right-click, Open With, Jupytext Notebook."""
    page.locator(f".jp-DirListing-item[title*='{name}']").click(button="right", timeout=60_000)
    page.get_by_text("Open With", exact=True).hover()
    page.get_by_text("Jupytext Notebook", exact=True).click()
    page.get_by_text("(ipykernel) | Idle").wait_for(timeout=60_000)


def test_chapter_opens_as_a_notebook_in_jupyterlab(jupyterlab, browser):
    address, token = jupyterlab
    page = browser.new_page()
    page.goto(f"{address}/lab?token={token}")
    open_notebook(page, "chapter.md")
    cells = (ROOT / "book" / CHAPTER).read_text(encoding="utf-8").count("```{code-cell}")
    assert page.locator(".jp-Notebook .jp-CodeCell").count() == cells
    page.close()


def test_figures_answer_in_jupyterlab(jupyterlab, browser):
    address, token = jupyterlab
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.goto(f"{address}/lab?token={token}")
    open_notebook(page, "figures.md")
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    picture = page.locator(".widget-image").first
    picture.wait_for(state="attached", timeout=120_000)

    # The static figure: the notebook's own script has run.
    slider = page.locator(".flipbook input[type=range]").first
    slider.press("End")
    assert slider.get_attribute("aria-valuetext") == page.locator(".flipbook output").first.inner_text()

    # The live one: dragging the slider brings another picture from the kernel.
    picture.scroll_into_view_if_needed()
    before = picture.get_attribute("src")
    box = page.locator(".widget-slider .noUi-handle").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 90, box["y"] + box["height"] / 2, steps=8)
    page.mouse.up()
    page.wait_for_function(
        "before => document.querySelector('.widget-image').src !== before", arg=before, timeout=20_000
    )
    page.close()
