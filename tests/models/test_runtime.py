"""One session: one owner, fixed shapes, bounded memory, and nothing that runs elsewhere than was asked unnoticed."""

import hashlib
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from pydantic import ValidationError

from okng.bus.errors import BadBundle, BadSettings
from okng.models import provider_options, runtime
from okng.models.device_binding import DeviceBinding
from okng.models.provider_options import PROVIDERS
from okng.models.runtime import Port, Session
from okng.models.runtime_options import RuntimeOptions

SIDE = 32


def brightest(side: int = SIDE) -> bytes:
    """Score and heat of any number of pictures: the brightest pixel, whole and of each 8x8 cell."""
    nodes = [
        helper.make_node("Cast", ["picture"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("MaxPool", ["planes"], ["cells"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Squeeze", ["cells", "axes"], ["heat"]),
        helper.make_node("ReduceMax", ["heat"], ["score"], axes=[1, 2], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "brightest",
        [helper.make_tensor_value_info("picture", TensorProto.UINT8, ["n", side, side, 1])],
        [
            helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n"]),
            helper.make_tensor_value_info("heat", TensorProto.FLOAT, ["n", side // 8, side // 8]),
        ],
        [numpy_helper.from_array(np.array([1], np.int64), "axes")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def pictures(count: int, side: int = SIDE) -> Any:
    return np.random.default_rng(count).integers(0, 256, (count, side, side, 1), dtype=np.uint8)


def at_hand() -> list[str]:
    """Providers of this installation that find their device: on a GPU machine CUDA and TensorRT are among them."""
    return [name for name in runtime.available_providers() if _starts(name)]


def _starts(name: str) -> bool:
    try:
        Session(brightest(), name, 1)
    except BadSettings:
        return False
    return True


@pytest.mark.parametrize("provider", at_hand())
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("batch", [1, 4])
def test_every_provider_here_scores_alike(provider: str, threads: int, batch: int) -> None:
    session = Session(brightest(), provider, threads, batch)
    shown = pictures(batch)
    for _ in range(3):
        score, heat = session.run(["score", "heat"], {"picture": shown})
        assert np.abs(score - shown.max(axis=(1, 2, 3))).max() <= 1e-3
        cells = shown.reshape(batch, 4, 8, 4, 8).max(axis=(2, 4))
        assert np.abs(heat - cells).max() <= 1e-3
    assert session.provider == PROVIDERS[provider]


def test_shapes_are_fixed_when_the_model_is_loaded() -> None:
    session = Session(brightest(), "cpu", 1, batch=4)
    assert session.inputs[0].shape == (4, SIDE, SIDE, 1)
    assert [port.shape for port in session.outputs] == [(4,), (4, 4, 4)]
    with pytest.raises(RuntimeError, match=r"index: 0 Got: 2 Expected: 4|invalid dimensions"):
        session.run(None, {"picture": pictures(2)})
    assert session.failures == 1
    session.warm()
    with pytest.raises(BadSettings, match="batch = 0"):
        Session(brightest(), "cpu", 1, batch=0)


def in_thread(work: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1, "other") as pool:
        return pool.submit(work).result()


def test_one_thread_owns_a_session() -> None:
    session = Session(brightest(), "cpu", 1)
    session.warm()
    with pytest.raises(RuntimeError, match=r"belongs to thread MainThread: other_0 may not run it before hand_over"):
        in_thread(session.warm)
    with pytest.raises(RuntimeError, match="belongs to thread MainThread"):
        in_thread(session.hand_over)
    session.warm()
    session.hand_over()
    in_thread(session.warm)
    session.warm()  # the thread that took it has ended: whoever comes next owns it


def test_an_owner_that_lives_on_keeps_it() -> None:
    session, ran, go = Session(brightest(), "cpu", 1), threading.Event(), threading.Event()

    def own() -> None:
        session.warm()
        ran.set()
        go.wait(10)

    owner = threading.Thread(target=own, name="owner")
    owner.start()
    assert ran.wait(10)
    with pytest.raises(RuntimeError, match="thread owner"):
        session.warm()
    go.set()
    owner.join()
    session.warm()


def test_memory_is_bounded_and_a_run_that_wants_more_fails() -> None:
    """In a process of its own: the limit is the process's."""
    code = f"""
import numpy as np
from okng.models.runtime import Session
from okng.models.runtime_options import RuntimeOptions
model = bytes.fromhex("{brightest(1024).hex()}")
options = RuntimeOptions(cpu_mem_mb=16)
Session(model, "cpu", 1, 1, options).warm()
large = Session(model, "cpu", 1, 32, options)
for _ in range(2):
    try:
        large.warm()
    except RuntimeError as error:
        print("refused", "vailable memory of" in str(error))
Session(model, "cpu", 1, 1, options).warm()
print("small ones go on")
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.stdout.split("\n")[:-1] == ["refused True", "refused True", "small ones go on"], done.stderr


def test_buffers_stay_bound_between_runs() -> None:
    """The way of a GPU, with the CPU's own memory in its place: ONNX Runtime's binding is the same."""
    session = Session(brightest(), "cpu", 1, batch=2)
    for outputs in (session.outputs, [Port(one.name, one.dtype, ("k", *one.shape[1:])) for one in session.outputs]):
        binding = DeviceBinding(session._session, session.inputs, outputs, fixed=False, device="cpu")
        for seed in range(3):
            shown = np.random.default_rng(seed).integers(0, 256, (2, SIDE, SIDE, 1), dtype=np.uint8)
            heat, score = binding.run(["heat", "score"], {"picture": shown})
            assert score.tolist() == shown.max(axis=(1, 2, 3)).tolist()
            assert heat.shape == (2, 4, 4)
            assert [each.shape for each in binding.run(None, {"picture": shown})] == [(2,), (2, 4, 4)]
    with pytest.raises(BadSettings, match=r"cuda_graph = true: output 'score' is \['k'\]: expected fixed sizes"):
        DeviceBinding(session._session, session.inputs, outputs, fixed=True, device="cpu")


def test_bytes_that_are_no_model_are_refused() -> None:
    with pytest.raises(BadBundle, match="does not load"):
        Session(b"no model", "cpu", 1)


BANNED = "nodes are assigned to the default CPU EP, but fallback to CPU EP has been explicitly disabled by the user."


class FakeSession:
    """ONNX Runtime of a GPU box, as far as `Session` looks at it."""

    told: ClassVar[list[Any]] = []
    broken: tuple[str, ...] = ()
    """Providers that raise when they are asked for."""
    silent: tuple[str, ...] = ()
    """Providers that only write to the log, and leave all to the CPU."""
    on_cpu: tuple[str, ...] = ()

    def __init__(self, model: bytes, options: Any, providers: list[Any], enable_fallback: int = 1) -> None:
        assert not enable_fallback  # it would try again on the CPU by itself
        self._names = [name for name, _ in providers]
        strict = self.bans(options)
        if model == b"no model":
            raise ValueError("not a protobuf")
        if self._names[0] in self.broken:
            raise RuntimeError(f"Please install what {self._names[0]} needs")
        if self._names[0] in self.silent:
            self._names = ["CPUExecutionProvider"]
        if strict and (self.on_cpu or self._names[0] == "CPUExecutionProvider"):
            raise RuntimeError(BANNED)
        self.told[:] = [options, providers]

    @staticmethod
    def bans(options: Any) -> bool:
        try:
            return str(options.get_session_config_entry("session.disable_cpu_ep_fallback")) == "1"
        except RuntimeError:
            return False

    def get_providers(self) -> list[str]:
        return [*self._names, "CPUExecutionProvider"]

    def disable_fallback(self) -> None: ...

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(name="picture", type="tensor(uint8)", shape=[1, 8, 8, 1])]

    def get_outputs(self) -> list[Any]:
        return [SimpleNamespace(name="score", type="tensor(float)", shape=[1])]

    def get_provider_graph_assignment_info(self) -> list[Any]:
        nodes = [SimpleNamespace(op_type=kind) for kind in self.on_cpu]
        return [
            SimpleNamespace(ep_name=self._names[0], get_nodes=lambda: [SimpleNamespace(op_type="Conv")]),
            SimpleNamespace(ep_name="CPUExecutionProvider", get_nodes=lambda: nodes),
        ]


@pytest.fixture
def gpu_box(monkeypatch: pytest.MonkeyPatch) -> type[FakeSession]:
    """A box that says it has CUDA and TensorRT."""

    class Fake(FakeSession):
        told: ClassVar[list[Any]] = []

    names = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: names)
    monkeypatch.setattr(onnxruntime, "InferenceSession", Fake)
    monkeypatch.setattr(runtime, "DeviceBinding", lambda *_, **__: None)
    return Fake


def test_cuda_is_told_what_the_settings_say(gpu_box: type[FakeSession]) -> None:
    Session(b"x", "cuda", 1, options=RuntimeOptions(gpu_mem_mb=512, cuda_graph=True))
    options, ((name, told),) = gpu_box.told
    assert name == "CUDAExecutionProvider"
    assert told == {
        "use_tf32": "0",
        "arena_extend_strategy": "kSameAsRequested",
        "gpu_mem_limit": str(512 << 20),
        "enable_cuda_graph": "1",
    }
    assert options.get_session_config_entry("session.disable_cpu_ep_fallback") == "1"


def test_engines_of_tensorrt_are_kept_by_what_they_were_built_for(
    gpu_box: type[FakeSession], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_options, "driver_version", lambda: "580.95.05")
    folders = []
    for model, batch, fp16 in [(b"x", 1, False), (b"y", 1, False), (b"x", 4, False), (b"x", 1, True)]:
        Session(model, "tensorrt", 1, batch, RuntimeOptions(trt_cache=tmp_path / "engines", trt_fp16=fp16))
        (first, told), (second, _) = gpu_box.told[1]
        assert (first, second) == ("TensorrtExecutionProvider", "CUDAExecutionProvider")
        assert told["trt_engine_cache_enable"] == told["trt_timing_cache_enable"] == "1"
        assert told["trt_fp16_enable"] == str(int(fp16))
        folders.append(Path(told["trt_engine_cache_path"]))
        assert folders[-1].is_dir()
    assert len(set(folders)) == 4
    digest = hashlib.sha256(b"x").hexdigest()[:16]
    assert folders[0].name == f"{digest}-ort{onnxruntime.__version__}-driver580.95.05-fp32-b1"
    (tmp_path / "file").write_text("")
    with pytest.raises(BadSettings, match=r"trt_cache = .*file.*expected a folder"):
        Session(b"x", "tensorrt", 1, options=RuntimeOptions(trt_cache=tmp_path / "file"))


def test_operators_that_would_run_on_the_cpu_are_refused_or_named(
    gpu_box: type[FakeSession], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(gpu_box, "on_cpu", ("TopK", "Loop", "TopK"))
    with pytest.raises(BadSettings, match=r"to the CPU: 1 Loop, 2 TopK: set cpu_nodes = true to allow it"):
        Session(b"x", "cuda", 1)
    session = Session(b"x", "cuda", 1, options=RuntimeOptions(cpu_nodes=True))
    assert session.on_cpu == ("1 Loop", "2 TopK")
    assert "leaves to the CPU: 1 Loop, 2 TopK" in caplog.text


@pytest.mark.parametrize("cpu_nodes", [False, True])
def test_a_card_without_its_libraries_is_told_from_a_model_it_cannot_run(
    cpu_nodes: bool, gpu_box: type[FakeSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As onnxruntime-gpu 1.31.1 behaves on a machine without CUDA: CUDA logs and yields, TensorRT raises."""
    options = RuntimeOptions(cpu_nodes=cpu_nodes)
    monkeypatch.setattr(gpu_box, "silent", ("CUDAExecutionProvider",))
    monkeypatch.setattr(gpu_box, "broken", ("TensorrtExecutionProvider",))
    with pytest.raises(BadSettings, match=r"CUDAExecutionProvider did not start, CPUExecutionProvider did: the libr"):
        Session(b"x", "cuda", 1, options=options)
    with pytest.raises(BadSettings, match=r"TensorrtExecutionProvider did not start: Please install what Tens"):
        Session(b"x", "tensorrt", 1, options=options)
    with pytest.raises(BadBundle, match="model does not load: not a protobuf"):
        Session(b"no model", "cuda", 1, options=options)


def test_a_plug_in_without_a_device_in_the_box_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setitem(
        sys.modules,
        "onnxruntime_ep_openvino",
        SimpleNamespace(get_library_path=lambda: "plug.so", __spec__=SimpleNamespace(name="x")),
    )
    monkeypatch.setattr(onnxruntime, "register_execution_provider_library", lambda *told: asked.append(told))
    monkeypatch.setattr(onnxruntime, "get_ep_devices", list)
    assert "openvino" in runtime.available_providers()
    with pytest.raises(BadSettings, match="finds no device of its maker in this box"):
        Session(brightest(), "openvino", 1)
    assert asked == [("onnxruntime_ep_openvino", "plug.so")]


@pytest.mark.parametrize(
    ("key", "value"),
    [("provider", "npu"), ("threads", 0), ("cpu_mem_mb", 1), ("gpu_mem_mb", 0), ("warm_ms", -1), ("surprise", 1)],
)
def test_options_are_bounded(key: str, value: object) -> None:
    with pytest.raises(ValidationError, match=key):
        RuntimeOptions.model_validate({key: value})
