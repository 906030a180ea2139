"""Model files made to do harm, and a throw-away process that forks for each: what loads and runs them dies alone."""

import os
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from okng.models import sandbox


def outside(location: str, where: str = "initializer") -> bytes:
    """A model whose weights lie in another file. where: initializer, attribute, branch or sparse."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "0"), ("length", "16")):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    nodes, weights, sparse = [helper.make_node("Add", ["x", "w"], ["y"])], [tensor], []
    if where == "attribute":
        nodes, weights = [helper.make_node("Constant", [], ["w"], value=tensor), *nodes], []
    elif where == "branch":
        branch = helper.make_graph(
            [helper.make_node("Constant", [], ["w"], value=tensor)],
            "branch",
            [],
            [helper.make_tensor_value_info("w", TensorProto.FLOAT, [4])],
        )
        nodes = [helper.make_node("If", ["yes"], ["w"], then_branch=branch, else_branch=branch), *nodes]
        weights = [numpy_helper.from_array(np.array(True), "yes")]
    elif where == "sparse":
        places = numpy_helper.from_array(np.arange(4, dtype=np.int64), "places")
        sparse, weights = [helper.make_sparse_tensor(tensor, places, [4])], []
    body = helper.make_graph(
        nodes,
        "outside",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])],
        weights,
        sparse_initializer=sparse,
    )
    return whole(body)


def whole(body: Any) -> bytes:
    """The file of a graph."""
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


def bomb() -> bytes:
    """Some 66 bytes that ask for 1.6 TB, when they run."""
    body = helper.make_graph(
        [helper.make_node("ConstantOfShape", ["n"], ["y"])],
        "",
        [],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [helper.make_tensor("n", TensorProto.INT64, [1], [400 << 30])],
    )
    return whole(body)


def doubling() -> bytes:
    """Forty times twice the same: 2^40 values of a few hundred bytes."""
    nodes = [helper.make_node("Concat", [f"v{n}", f"v{n}"], [f"v{n + 1}"], axis=0) for n in range(40)]
    body = helper.make_graph(
        nodes,
        "doubling",
        [helper.make_tensor_value_info("v0", TensorProto.FLOAT, [4])],
        [helper.make_tensor_value_info("v40", TensorProto.FLOAT, None)],
    )
    return whole(body)


def mutants(seed: bytes, count: int) -> list[bytes]:
    """The same seed each time: bits, bytes, cuts, doubled and swapped pieces."""
    pick, made = random.Random(20261127), []
    for _ in range(count):
        data = bytearray(seed)
        for _ in range(pick.choice((1, 1, 1, 2, 4))):
            at, size = pick.randrange(len(data)), pick.randint(1, 16)
            how = pick.choice((0, 0, 0, 0, 1, 1, 2, 3, 4))  # most keep the lengths, so that more gets past the parser
            if how == 0:
                data[at] ^= 1 << pick.randrange(8)
            elif how == 1:
                data[at] = pick.randrange(256)
            elif how == 2:
                data[at:at] = data[at : at + size]
            elif how == 3:
                del data[at : at + size]
            else:
                data[at : at + 1] = pick.choice((b"\xff\xff\xff\xff\x0f", b"\x80\x80\x80\x80\x80\x01", b"\x00"))
            data = data or bytearray(b"\x00")
        made.append(bytes(data))
    return made


def tried_apart(models: list[bytes], memory_mb: int = 3000, cpu_s: int = 5) -> dict[str, int]:
    """Load and run each in a fork that is bounded as a trial is, without the guard before it; count how they ended."""
    import onnxruntime

    ended: dict[str, int] = {}
    for model in models:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                sandbox.confine(memory_mb, cpu_s)
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
                session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
                feeds = {
                    port.name: np.zeros([axis if isinstance(axis, int) else 1 for axis in port.shape], np.uint8)
                    for port in session.get_inputs()
                }
                session.run(None, feeds)
                code = 0
            finally:
                os._exit(code)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        how = {0: "ran", 1: "refused"}.get(status, f"died by signal {-status}")
        ended[how] = ended.get(how, 0) + 1
    return ended


def main() -> None:
    """`python -m okng.tests.models.hostile MODEL COUNT`: mutants of a model file, each loaded and run in a fork."""
    seed, count = Path(sys.argv[1]).read_bytes(), int(sys.argv[2])
    if tried_apart([seed]) != {"ran": 1}:
        sys.exit(f"{sys.argv[1]}: the seed itself does not run")
    folder = os.environ.get("OKNG_EMPTY", "")
    if folder:
        os.chdir(folder)
    sys.stdout.write(f"{tried_apart(mutants(seed, count))}\n")


if __name__ == "__main__":
    main()
