"""The training itself: epochs of steps, a look at the validation pictures after each, the best weights kept.

After every epoch all that matters lies in one checkpoint. What an epoch draws depends on seed and number alone, so a
training that was killed and goes on ends, on a CPU, where it would have ended.
"""

import contextlib
import json
import logging
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from . import checkpoint
from .checkpoint import Checkpoint
from .examples import Examples, drawn, steps
from .losses import Targets, loss_of
from .net import Net
from .options import TrainOptions
from .ranks import Ranks
from .validation import Tally, raw_outputs

_LOG = logging.getLogger(__name__)
_WARM_STEPS = 50
_CLIP = 5.0
"""Largest norm of a step's gradient."""
LEAST_GAIN = 1e-4
"""A figure must rise by more than this to be better."""

OnEpoch = Callable[[dict[str, float]], None]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A training that ended."""

    net: Net
    """With the weights of the best epoch, on the CPU."""
    curves: list[dict[str, float]]
    """Of each epoch: epoch, loss, validation_loss, figure, auroc, aim, rate, seconds."""
    best_epoch: int
    why: str
    """Why it ended, for people."""
    resumed_at: int
    """Epochs that were done when this process began."""


class NotFinite(Exception):
    """The loss is no number any more."""


def fit(
    learnt: Examples,
    validation: Examples,
    classes: int,
    options: TrainOptions,
    ranks: Ranks,
    work: Path,
    identity: dict[str, Any],
    on_epoch: OnEpoch | None = None,
) -> Fitted:
    """Train, or go on where the checkpoint in `work` stands.

    identity: what the checkpoint must agree in. on_epoch: called in the first process with each new epoch's figures;
    what it raises ends the training, and the checkpoint stays.
    BadSettings: the checkpoint is damaged or of another training. NotFinite: the loss went astray.
    """
    fast = _threads(options)
    net = Net(options, classes).to(ranks.device)
    for weight in net.backbone.parameters():
        weight.requires_grad_(options.backbone_rate > 0.0)
    wrapped = ranks.wrapped(net)
    optimizer = _optimizer(net, options)
    cast, scaler = _amp(options, ranks.device)
    text = json.dumps(identity, sort_keys=True)
    curves: list[dict[str, float]] = []
    best = _copied(net)
    done = 0
    if (found := checkpoint.load(work, text)) is not None:
        net.load_state_dict(found.net)
        optimizer.load_state_dict(found.optimizer)
        scaler.load_state_dict(found.scaler)
        torch.set_rng_state(found.rng)
        curves, best, done = found.curves, found.best, found.epoch
    resumed_at = done
    per_epoch = -(-len(learnt) // options.batch)
    while not (why := ranks.agreed(_over(curves, options))):
        started = time.monotonic()
        total, count = 0.0, 0
        wrapped.train()
        order = drawn(learnt.labels, options.batch, options.seed, done)
        each = steps(learnt, order, ranks.share, options.augment, options.seed, done, fast)
        for number, (pictures, targets) in enumerate(each):
            _set_rate(optimizer, options, done * per_epoch + number, options.epochs * per_epoch)
            with cast():
                raw = wrapped(pictures.to(ranks.device))
            loss = loss_of(options.task, raw, _moved(targets, ranks.device), options.size_px)
            optimizer.zero_grad(set_to_none=True)
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(net.parameters(), _CLIP)
            scaler.step(optimizer)
            scaler.update()
            total, count = total + float(loss.detach()), count + 1
        if not math.isfinite(total):
            raise NotFinite(f"epoch {done + 1}: the loss is {total}: try a lower --rate")
        done += 1
        if ranks.first:
            row = {"epoch": float(done), "loss": total / count, "rate": optimizer.param_groups[-1]["lr"]}
            row |= validated(net, validation, classes, options, ranks.device)
            row["seconds"] = time.monotonic() - started
            curves.append(row)
            if _best_epoch(curves) == done:
                best = _copied(net)
            state = (_copied(net), optimizer.state_dict(), scaler.state_dict(), torch.get_rng_state(), best, curves)
            checkpoint.save(work, Checkpoint(text, done, *state))
            if on_epoch is not None:
                on_epoch(row)
    net.load_state_dict(best)
    return Fitted(net.cpu().eval(), curves, _best_epoch(curves) if curves else 0, why, resumed_at)


def validated(net: Net, examples: Examples, classes: int, options: TrainOptions, device: str) -> dict[str, float]:
    """Return the figures of pictures that were not trained on, and their loss."""
    net.eval()
    tally, total = Tally(options.task, classes), 0.0
    for start in range(0, len(examples), options.batch):
        places = np.arange(start, min(start + options.batch, len(examples)))
        raw = raw_outputs(net, examples.pictures[places], device)
        marked = [examples.marked(int(place)) for place in places]
        truth = [(one.boxes, one.kinds) for one in marked]
        masks = torch.from_numpy(np.stack([one.mask for one in marked]).astype(np.int64))
        labels = [one.label for one in marked]
        tally.add(raw, labels, masks, truth)
        total += len(places) * float(loss_of(options.task, raw, _targets(labels, masks, truth), options.size_px))
    return {"validation_loss": total / len(examples), **tally.figures()}


def _targets(labels: list[int], masks: torch.Tensor, truth: list[tuple[Any, Any]]) -> Targets:
    most = max(1, *(len(kinds) for _, kinds in truth))
    boxes, kinds = torch.zeros(len(truth), most, 4), torch.full((len(truth), most), -1)
    for place, (box, kind) in enumerate(truth):
        boxes[place, : len(box)], kinds[place, : len(kind)] = torch.from_numpy(box), torch.from_numpy(kind)
    return Targets(torch.tensor(labels), masks, boxes, kinds)


def _over(curves: list[dict[str, float]], options: TrainOptions) -> str:
    """Why it is over, for people; empty: it is not."""
    if len(curves) >= options.epochs:
        return f"all {options.epochs} epochs are done"
    if curves and len(curves) - _best_epoch(curves) >= options.patience:
        return f"no better validation figure for {options.patience} epochs"
    return ""


def _best_epoch(curves: list[dict[str, float]]) -> int:
    """The epoch with the highest aim; of equal ones that with the lowest validation loss."""
    best = curves[0]
    for row in curves[1:]:
        gain = row["aim"] - best["aim"]
        if gain > LEAST_GAIN or (abs(gain) <= LEAST_GAIN and row["validation_loss"] < best["validation_loss"]):
            best = row
    return int(best["epoch"])


def _optimizer(net: Net, options: TrainOptions) -> torch.optim.AdamW:
    """AdamW; the backbone at its own rate, and no decay for offsets and norms."""
    groups = []
    for own, parts in ((options.backbone_rate, [net.backbone]), (1.0, [net.decoder, net.head])):
        weights = [weight for part in parts for weight in part.parameters() if weight.requires_grad]
        for flat in (True, False):
            chosen = [weight for weight in weights if (weight.ndim <= 1) == flat]
            if chosen:
                groups.append({"params": chosen, "share": own, "weight_decay": 0.0 if flat else options.decay})
    return torch.optim.AdamW(groups, lr=options.rate)


def _set_rate(optimizer: torch.optim.Optimizer, options: TrainOptions, step: int, steps_all: int) -> None:
    """Rise over the first steps, then fall as a cosine to a hundredth. A function of the step alone."""
    warm = min(1.0, (step + 1) / min(_WARM_STEPS, max(1, steps_all // 10)))
    fall = 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * step / steps_all))
    for group in optimizer.param_groups:
        group["lr"] = options.rate * group["share"] * warm * fall


def _amp(options: TrainOptions, device: str) -> tuple[Callable[[], Any], Any]:
    """What casts a step to half precision, and what keeps fp16 gradients from vanishing."""
    kind = options.amp
    gpu = device != "cpu"
    if kind == "auto":
        kind = "off" if not gpu else "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    scaler = torch.amp.GradScaler("cuda" if gpu else "cpu", enabled=kind == "fp16")
    if kind == "off":
        return contextlib.nullcontext, scaler
    dtype = torch.bfloat16 if kind == "bf16" else torch.float16
    return lambda: torch.autocast("cuda" if gpu else "cpu", dtype), scaler


def _threads(options: TrainOptions) -> int:
    """Set torch's threads, make it deterministic where it can be; returns how many threads prepare pictures."""
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    threads = options.threads or max(1, len(os.sched_getaffinity(0)) // here)
    torch.set_num_threads(threads)
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    return min(threads, 8)


def _copied(net: Net) -> dict[str, Any]:
    return {name: value.detach().cpu().clone() for name, value in net.state_dict().items()}


def _moved(targets: Targets, device: str) -> Targets:
    return Targets(*(getattr(targets, name).to(device) for name in Targets.__slots__))
