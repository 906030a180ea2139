"""What people may say of where and how a model runs."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Provider = Literal["cpu", "cuda", "tensorrt", "openvino"]


class RuntimeOptions(BaseModel):
    """How a model is run. A key that does not concern the provider is left unused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    provider: Provider = "cpu"
    """Where the model runs. One that is missing is an error at start, never a silent fall-back."""
    threads: int = Field(default=1, ge=1, le=64)
    """Threads inside one inference. More than 1 helps only while cores are idle, and hurts when they are not."""
    cpu_nodes: bool = False
    """Let single operators that the GPU lacks run on the CPU. They are counted and named in the log; without this such
    a model is refused."""
    cpu_mem_mb: int | None = Field(default=None, ge=16, le=1 << 20)
    """Memory for the intermediate results of all models of the process, MB. More asked: that run fails, its part is
    UNJUDGED. None: as much as there is."""
    gpu_mem_mb: int | None = Field(default=None, ge=64, le=1 << 20)
    """The same on the GPU, for each model. What CUDA itself and TensorRT's engines take comes on top."""
    cuda_graph: bool = False
    """Record the work of one inference on the GPU and replay it: fewer launches, for models of fixed shapes."""
    trt_cache: Path | None = None
    """Folder for TensorRT's engines, which take minutes to build. None: built anew at each start."""
    trt_fp16: bool = False
    """Half precision in TensorRT. It activates only where the golden pictures still score as stored."""
    warm_ms: int = Field(default=0, ge=0, le=600_000)
    """A GPU idle for longer gets an inference of an empty picture, because the first one after a pause is slow.
    0: never."""
