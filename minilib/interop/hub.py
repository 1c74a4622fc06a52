"""Published models: a name on the hub, or a folder of the same layout."""

from pathlib import Path

from minilib.errors import require


def check_source(source: str, *, file: str = "config.json") -> None:
    """Asks the hub once whether it has a model: fetching one would try again for more than a minute.

    Args:
        source: a name on the hub, or a folder.
        file: of the model; if it was fetched before, the hub is not asked.
    Raises:
        OSError: no such folder, or no such name, or no network.
    """
    hub = require("huggingface_hub", extra="pretrained")
    if Path(source).is_dir():
        return
    try:
        if isinstance(hub.try_to_load_from_cache(source, file), str):
            return
        hub.HfApi().model_info(source, timeout=10)
    except Exception as error:
        reason = type(error).__name__
        raise OSError(f"{source!r} is no folder here, and the hub does not give it ({reason})") from error
