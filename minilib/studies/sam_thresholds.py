"""Which masks `sam-toybox` should keep when nobody asks: thresholds for its automatic masks.

`python -m minilib.studies.sam_thresholds` compares thresholds for the predicted IoU and for the stability on validation
scenes. Chosen are those with the highest mean of recall and precision; `evaluate.sam.AUTOMATIC` has them.
"""

from dataclasses import replace
from itertools import product
from statistics import mean

from minilib.evaluate.sam import AUTOMATIC, automatic, tables
from minilib.studies import write_study
from minilib.weights import load_trained

IOUS = (0.2, 0.3, 0.4)
STABILITIES = (0.4, 0.5, 0.6, 0.7, 0.8)


def main(num_scenes: int = 14) -> None:
    """Compares, writes sam_thresholds.json."""
    _, sam = load_trained("sam-toybox")
    scenes, found = tables(num_scenes, split="validation"), []
    for iou, stability in product(IOUS, STABILITIES):
        config = replace(AUTOMATIC, pred_iou_thresh=iou, stability_score_thresh=stability)
        recalls, precisions = zip(*(automatic(sam, scene, config) for scene in scenes), strict=True)
        found.append({"iou": iou, "stability": stability, "recall": mean(recalls), "precision": mean(precisions)})
        print(found[-1], flush=True)
    best = max(found, key=lambda one: one["recall"] + one["precision"])
    write_study("sam_thresholds", {"scenes": len(scenes), "chosen": best, "compared": found})


if __name__ == "__main__":
    main()
