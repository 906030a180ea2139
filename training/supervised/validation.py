"""How good the net is on pictures it was not trained on: what early stop and the search go by."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional
from torchvision.ops import batched_nms, box_iou

from ...models.figures import auroc
from .net import Net
from .options import Task

MOST_BOXES = 100
_LEAST_SCORE = 0.01
_SAME_PLACE = 0.5
"""Overlap (intersection over union) from which two boxes are of one place."""


@dataclass(frozen=True, slots=True)
class Boxes:
    """Boxes of one picture, best first."""

    boxes: torch.Tensor
    """`[k, 4]` float32."""
    scores: torch.Tensor
    """`[k]`, 0..1."""
    kinds: torch.Tensor
    """`[k]` int64."""


class Tally:
    """Outputs against truth, picture after picture."""

    def __init__(self, task: Task, classes: int) -> None:
        self._task, self._classes = task, classes
        self._scores: list[float] = []
        self._labels: list[int] = []
        self._said: list[int] = []
        self._both = np.zeros(classes, np.int64)
        self._either = np.zeros(classes, np.int64)
        self._hits: list[list[tuple[float, bool]]] = [[] for _ in range(classes)]
        self._boxes = np.zeros(classes, np.int64)

    def add(
        self, raw: torch.Tensor, labels: Sequence[int], masks: torch.Tensor, truth: Sequence[tuple[object, object]]
    ) -> None:
        """Count one step. raw: the net's output. truth: boxes `(k, 4)` and kinds `(k,)` of each picture."""
        self._labels += labels
        if self._task == "classification":
            self._scores += (1.0 - raw.softmax(1)[:, 0]).tolist()
            self._said += raw.argmax(1).tolist()
        elif self._task == "segmentation":
            self._scores += (1.0 - raw.softmax(1)[:, 0]).amax((1, 2)).tolist()
            whole = functional.interpolate(raw, size=masks.shape[1:], mode="bilinear", align_corners=False).argmax(1)
            for kind in range(self._classes):
                said, true = whole == kind + 1, masks == kind + 1
                self._both[kind] += int((said & true).sum())
                self._either[kind] += int((said | true).sum())
        else:
            for found, (boxes, kinds) in zip(found_boxes(raw), truth, strict=True):
                self._scores.append(float(found.scores[0]) if len(found.scores) else 0.0)
                self._count_boxes(found, torch.as_tensor(boxes), torch.as_tensor(kinds))

    def _count_boxes(self, found: Boxes, boxes: torch.Tensor, kinds: torch.Tensor) -> None:
        for kind in range(self._classes):
            true, mine = boxes[kinds == kind], found.kinds == kind
            self._boxes[kind] += len(true)
            free = torch.ones(len(true), dtype=torch.bool)
            for box, score in zip(found.boxes[mine], found.scores[mine].tolist(), strict=True):
                overlap = box_iou(box[None], true)[0] * free if len(true) else torch.zeros(0)
                hit = bool(len(overlap)) and float(overlap.max()) >= _SAME_PLACE
                if hit:
                    free[overlap.argmax()] = False
                self._hits[kind].append((score, hit))

    def figures(self) -> dict[str, float]:
        """Return `figure`, `auroc` and `aim`, the mean of both.

        figure: mean IoU, AP at 0.5 or balanced accuracy, over the classes that are there. auroc: good against
        defective; left out when one of them is missing.
        """
        figure = {
            "segmentation": self._iou,
            "detection": self._precision,
            "classification": self._accuracy,
        }[self._task]()
        rank = auroc(self._scores, [label > 0 for label in self._labels])
        if np.isnan(rank):
            return {"figure": figure, "aim": figure}
        return {"figure": figure, "auroc": rank, "aim": (figure + rank) / 2.0}

    def _iou(self) -> float:
        return _mean(self._both[self._either > 0] / self._either[self._either > 0])

    def _accuracy(self) -> float:
        said, true = np.array(self._said), np.array(self._labels)
        return _mean(np.array([float((said[true == label] == label).mean()) for label in np.unique(true)]))

    def _precision(self) -> float:
        found = [_average_precision(hits, int(n)) for hits, n in zip(self._hits, self._boxes, strict=True) if n]
        return _mean(np.array(found))


def found_boxes(raw: torch.Tensor) -> list[Boxes]:
    """Return the boxes of each picture from the detector's raw output, overlapping ones of one class left out."""
    out = []
    for one in raw.detach().float().cpu():
        scores, kinds = torch.sigmoid(one[4:]).max(0)
        kept = scores >= _LEAST_SCORE
        middle, side = one[:2, kept].T, one[2:4, kept].T
        boxes, scores, kinds = torch.cat([middle - side / 2, middle + side / 2], 1), scores[kept], kinds[kept]
        best = batched_nms(boxes, scores, kinds, _SAME_PLACE)[:MOST_BOXES]
        out.append(Boxes(boxes[best], scores[best], kinds[best]))
    return out


def _average_precision(hits: list[tuple[float, bool]], truths: int) -> float:
    """Area under precision over recall, precision made non-rising (as COCO does, at one overlap)."""
    if not hits:
        return 0.0
    right = np.array([hit for _, hit in sorted(hits, key=lambda one: -one[0])])
    recall, precision = np.cumsum(right) / truths, np.cumsum(right) / np.arange(1, len(right) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def _mean(values: npt.NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else 0.0


def raw_outputs(net: Net, pictures: npt.NDArray[np.uint8], device: str) -> torch.Tensor:
    """Return the net's raw output for pictures uint8 `(n, h, w, c)`, on the CPU in float32."""
    with torch.inference_mode():
        return net(torch.from_numpy(np.ascontiguousarray(pictures)).to(device)).float().cpu()
