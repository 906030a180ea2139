"""Write the peers of `bench/models.py`: anomalib's own ONNX exports, made by anomalib in an environment of its own.

    .venv-foreign/bin/python bench/models_peers.py [--out bench-out/peers] [--size 256] [--goods 60]

Weights are random, which changes no time. Sizes are what a teaching would leave: PaDiM gets its mean and covariance at
every position and PatchCore a memory of 10 % of the patches of so many goods (drawn: which ones changes no time). Each
post-processor is given limits so wide that it clips nothing, so that a score is seen to follow its input.
Exports are of one picture, static, which suits ONNX Runtime best. PatchCore is exported a second time as
`to_onnx` does it by default, which fixes two pictures.

Writes NAME.onnx, its data, and peers.json. Needs no okng.
"""

import argparse
import functools
import importlib
import importlib.metadata
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from anomalib.models import EfficientAd, Padim, Patchcore, Stfpm

CORESET = 0.1
BATCH = 10


def pictures(count: int, size_px: int, seed: int) -> Any:
    """Return smooth random pictures, float32 `[count, 3, size, size]`, 0..1."""
    dice = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, size_px // 8, size_px // 8, generator=dice)
    smooth = torch.nn.functional.interpolate(coarse, (size_px, size_px), mode="bilinear")
    return (smooth + 0.02 * torch.randn(count, 3, size_px, size_px, generator=dice)).clamp(0, 1)


def untrained_stfpm() -> Any:
    """STFPM always fetches its teacher's weights; here the teacher is random, too."""
    module: Any = importlib.import_module("anomalib.models.image.stfpm.torch_model")
    made = module.TimmFeatureExtractor
    module.TimmFeatureExtractor = lambda **said: made(**(said | {"pre_trained": False}))
    try:
        return Stfpm(backbone="resnet18", layers=("layer1", "layer2", "layer3"))
    finally:
        module.TimmFeatureExtractor = made


def filled(model: Any, size_px: int, goods: int) -> None:
    """Give a model what its teaching would leave in it."""
    inner = model.model
    inner.train()
    if isinstance(model, Padim | Patchcore):
        with torch.no_grad():
            for start in range(0, goods, BATCH):
                inner(model.pre_processor.transform(pictures(min(BATCH, goods - start), size_px, start)))
    if isinstance(model, Padim):
        inner.fit()
    if isinstance(model, Patchcore):
        patches = torch.vstack(inner.embedding_store)
        inner.embedding_store.clear()
        inner.memory_bank = patches[torch.randperm(len(patches))[: int(CORESET * len(patches))]].clone()
    if isinstance(model, EfficientAd):
        inner.mean_std["std"].data.fill_(1.0)
        for name, value in (("qa_st", 0.0), ("qb_st", 1.0), ("qa_ae", 0.0), ("qb_ae", 1.0)):
            inner.quantiles[name].data.fill_(value)
    model.eval()
    with torch.no_grad():
        said = [inner(model.pre_processor.transform(pictures(1, size_px, 1000 + at))) for at in range(4)]
    limits = model.post_processor
    for kind, values in (("image", [each.pred_score for each in said]), ("pixel", [each.anomaly_map for each in said])):
        high = max(float(each.max()) for each in values)
        getattr(limits, f"{kind}_min").fill_(0.0)
        getattr(limits, f"{kind}_max").fill_(1000.0 * high)
        getattr(limits, f"_{kind}_threshold").fill_(high)


def export(model: Any, name: str, out: Path, size_px: int, **said: Any) -> None:
    """Write NAME.onnx and its data."""
    with tempfile.TemporaryDirectory(prefix="okng-bench-") as folder:
        # 18 is what torch gives; asked for anomalib's 14 it fails to convert, says so at length, and leaves 18.
        made = model.to_onnx(folder, name, input_size=(size_px, size_px), opset_version=18, verbose=False, **said)
        for path in made.parent.iterdir():
            shutil.copyfile(path, out / path.name)


def main() -> None:
    """Make, fill, export."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path("bench-out/peers"))
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--goods", type=int, default=60)
    options = parser.parse_args()
    torch.manual_seed(2026)
    size = options.size
    asked: dict[str, Any] = {"size": size, "goods": options.goods, "coreset": CORESET}
    asked["made_by"] = {name: importlib.metadata.version(name) for name in ("anomalib", "torch", "timm")}
    found = options.out / "peers.json"
    if found.is_file():
        held = json.loads(found.read_text(encoding="utf-8"))
        if held["asked"] == asked and all((options.out / f"{name}.onnx").is_file() for name in held["peers"]):
            return
    shutil.rmtree(options.out, ignore_errors=True)
    options.out.mkdir(parents=True)
    makers: dict[str, Callable[[], Any]] = {
        "padim-r18": functools.partial(Padim, backbone="resnet18", pre_trained=False),
        "patchcore-r18": functools.partial(Patchcore, backbone="resnet18", pre_trained=False),
        "stfpm-r18": untrained_stfpm,
        "efficientad-s": functools.partial(EfficientAd, model_size="small"),
    }
    peers: dict[str, dict[str, Any]] = {}
    for name, make in makers.items():
        sys.stderr.write(f"{name}: exporting\n")
        model = make()
        filled(model, size, options.goods)
        export(model, name, options.out, size, dynamic_axes={})
        peers[name] = {"pictures": 1, "holds": ""}
        if isinstance(model, Padim):
            mean = model.model.gaussian.mean
            peers[name]["holds"] = f"Gaussian of {mean.shape[0]} dimensions at {mean.shape[1]} positions"
        if isinstance(model, Patchcore):
            bank = model.model.memory_bank
            peers[name]["holds"] = f"memory of {bank.shape[0]} x {bank.shape[1]}"
            export(model, f"{name}-default", options.out, size)
            peers[f"{name}-default"] = {"pictures": 2, "holds": peers[name]["holds"]}
    found.write_text(json.dumps({"asked": asked, "peers": peers}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
