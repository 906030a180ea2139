"""Nothing leaves a box unasked: the runtime's reports to its maker are off in every process of okng."""

import os
import subprocess
import sys
from pathlib import Path

ASK = """
import os, sys
from pathlib import Path
from click.testing import CliRunner
from okng.__main__ import cli
if sys.argv[2] == "okng":
    CliRunner().invoke(cli, ["settings", "migrate", "--settings", "none.toml"])
import onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
print(len(os.listdir("/proc/self/task")))
"""
MODEL = Path(__file__).parents[2] / "training" / "backbone" / "efficientnet_lite0_b10.onnx"


def threads(who: str, **more: str) -> int:
    """Threads of a process after a model was loaded: one more reports."""
    env = {**{name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}, **more}
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(MODEL), who], env=env, check=True, capture_output=True, text=True
    )
    return int(done.stdout)


def test_a_process_of_okng_has_the_runtimes_reports_switched_off() -> None:
    assert threads("okng") == threads("nobody", ORT_DISABLE_TELEMETRY="1")
