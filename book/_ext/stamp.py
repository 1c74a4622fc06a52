"""Notes in the built site which sources it was built from, so that a test can tell an old build from a new one."""

from pathlib import Path

from sphinx.application import Sphinx

STAMP = ".built-from"


def write_stamp(app: Sphinx, error: Exception | None) -> None:
    """Writes the sources' fingerprint into the site; a failed build gets none."""
    stamp = Path(app.outdir) / STAMP
    if error is None:
        stamp.write_text(app.config.build_fingerprint + "\n")
    else:
        stamp.unlink(missing_ok=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx extension entry; `build_fingerprint` is computed by conf.py before the first page is read."""
    app.add_config_value("build_fingerprint", "", "", types=[str])
    app.connect("build-finished", write_stamp)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
