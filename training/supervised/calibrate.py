"""Confidences that mean something: after this, a part with a confidence of one half is as likely good as defective.

A network trained to the end is sure of everything: most of its largest confidences lie above 0.98, good parts' too,
and no limit can tell them apart. So its logits are divided by one temperature (C. Guo, arXiv:1706.04599) and each class
gets an offset, fitted on whole validation pictures, with Platt's targets that are never quite 0 or 1 (J. Platt, 1999).
Both go into the weights of the last layer: the graph stays as it was.
"""

import math

import torch
from torch.nn import functional

from .examples import Examples
from .net import Net
from .validation import raw_outputs

_CANDIDATES = 16
"""Cells kept of each picture and class, the surest: one of them stays the surest whatever the temperature."""
_STEPS = 60
_PRIOR = 1e-3
"""Pull of the offsets towards none: a class without any error needs no large one."""


def calibrate(net: Net, validation: Examples, classes: int) -> tuple[float, list[float]]:
    """Fit temperature and offsets, put them into the net's last layer, and return them.

    validation: with good pictures and some of each class.
    """
    candidates = torch.cat(
        [
            _candidates(net, raw_outputs(net, validation.pictures[start : start + 16], "cpu"), classes)
            for start in range(0, len(validation), 16)
        ]
    )
    labels = torch.from_numpy(validation.labels)
    log_temperature = torch.zeros((), requires_grad=True)
    offsets = torch.zeros(classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([log_temperature, offsets], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        odds = _odds(net, candidates / log_temperature.exp(), offsets)
        loss = _loss(odds, labels, classes) + _PRIOR * offsets.square().sum() + _PRIOR * log_temperature.square()
        loss.backward()
        return loss

    optimizer.step(closure)
    temperature, found = math.exp(float(log_temperature.detach())), [float(one) for one in offsets.detach()]
    if not all(map(math.isfinite, [temperature, *found])) or not 0.05 <= temperature <= 100.0:
        return 1.0, [0.0] * classes
    _fold(net, temperature, torch.tensor(found))
    return temperature, found


def _candidates(net: Net, raw: torch.Tensor, classes: int) -> torch.Tensor:
    """Logits of the surest cells for each class: `[n, classes, cells, channels]`, detection with one channel."""
    if net.task == "detection":
        return raw[:, 4:].amax(2)[..., None, None]
    logits = raw.reshape(*raw.shape[:2], -1)
    found = []
    for kind in range(classes):
        odds = logits[:, kind + 1] - _others(logits, kind)
        best = odds.topk(min(_CANDIDATES, odds.shape[1]), 1).indices
        found.append(logits.gather(2, best[:, None].expand(-1, logits.shape[1], -1)).transpose(1, 2))
    return torch.stack(found, 1)


def _odds(net: Net, candidates: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    """Log odds of each class on each picture, `[n, classes]`: of its surest cell."""
    if net.task == "detection":
        return candidates[..., 0, 0] + offsets
    shifted = (candidates + functional.pad(offsets, (1, 0))).transpose(2, 3)  # [n, classes, channels, cells]
    each = [
        (shifted[:, kind, kind + 1] - _others(shifted[:, kind], kind)).amax(1) for kind in range(candidates.shape[1])
    ]
    return torch.stack(each, 1)


def _others(logits: torch.Tensor, kind: int) -> torch.Tensor:
    """What speaks against a class: all other channels of `[n, channels, cells]` together."""
    rest = [at for at in range(logits.shape[1]) if at != kind + 1]
    return logits[:, rest].logsumexp(1)


def _loss(odds: torch.Tensor, labels: torch.Tensor, classes: int) -> torch.Tensor:
    """Cross-entropy of whole pictures; goods and defects of a class weigh the same, whatever their number."""
    total = odds.new_zeros(())
    goods = odds[labels == 0]
    for kind in range(classes):
        mine = odds[labels == kind + 1, kind]
        for values, target in ((goods[:, kind], 1.0 / (len(goods) + 2)), (mine, (len(mine) + 1.0) / (len(mine) + 2))):
            if len(values):
                total = total + functional.binary_cross_entropy_with_logits(values, torch.full_like(values, target))
    return total / classes


def _fold(net: Net, temperature: float, offsets: torch.Tensor) -> None:
    last = net.head.kind if net.task == "detection" else net.head.head
    with torch.no_grad():
        last.weight /= temperature
        last.bias /= temperature
        last.bias += offsets if net.task == "detection" else functional.pad(offsets, (1, 0))
