"""Lists the shipped weights after checking them against their cards: `make weights`."""

from minilib.weights import FOLDER, cards

shipped = cards()
for name, card in shipped.items():
    size = (FOLDER / f"{name}.safetensors").stat().st_size / 1e6
    print(f"{name}: {size:.1f} MB, toybox version {card['toybox_version']}")
    print(f"    {card['steps']} steps in {card['minutes']} minutes on {card['hardware']}")
    for metric, value in card["metrics"].items():
        low, high = value["ci95"]
        print(f"    {metric} = {value['value']:.3g} [{low:.3g}, {high:.3g}], n = {value['n']}")
if not shipped:
    print("No trained weights ship yet: the chapters there are need none.")
