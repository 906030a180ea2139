"""The back half of the taught graph: what `heads.py` computes in numpy, as ONNX nodes."""

import numpy as np

from .gaussian import Gaussian
from .graph import BATCH, Nodes, Size, load_backbone
from .heads import SMOOTHING, Heads
from .layout import Layout
from .linear import LEAST_Z, MOST_Z, LinearHead


def taught_graph(layout: Layout, heads: Heads) -> bytes:
    """Return the whole model.

    `picture` uint8 [n, height, width, channels] -> `score` float32 [n], `heat` float32 [n, rows, columns], `features`
    float32 [n, d], the mean of the white features.
    """
    nodes = Nodes(load_backbone(), layout)
    add, weight, shaped = nodes.add, nodes.weight, nodes.shaped
    white = add("Sub", [nodes.cells(), weight("whitening.mean", heads.whitening.mean)], "cells.centred")
    white = add("MatMul", [white, weight("whitening.matrix", heads.whitening.matrix)], "cells.white")
    add("ReduceMean", [white], "features", axes=[1], keepdims=0)
    heights: dict[str, str] = {}
    turned = ""
    if heads.needs_memory:
        heights["memory"] = _z(nodes, _memory(nodes, white, heads), "memory", heads)
    if heads.needs_gaussian:
        turned = _turned(nodes, white, heads.gaussian)
        heights["gaussian"] = _z(nodes, _distance(nodes, turned, heads.gaussian), "gaussian", heads)
    terms = []
    for name, share in (("memory", heads.mix.memory), ("gaussian", heads.mix.gaussian)):
        if share and name in heights:
            part = heights[name]
            if share != 1.0:
                part = add("Mul", [part, weight(f"{name}.share", np.float32(share))], f"{name}.part")
            terms.append(part)
    if heads.linear is not None:
        said = _linear(nodes, turned, heights, heads.gaussian, heads.linear)
        terms = [said, *(terms if heads.linear.keeps_unlikeness else [])]
    height = terms[0] if len(terms) == 1 else add("Sum", terms, "height")
    height = shaped(height, "height.map", -1, 1, layout.rows, layout.columns)
    pads = weight("map.pads", np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64))
    height = add("Pad", [height, pads], "height.padded", mode="edge")
    height = add("Conv", [height, weight("smoothing", SMOOTHING[None, None])], "height.smooth", kernel_shape=[3, 3])
    shaped(height, "heat", -1, layout.rows, layout.columns)
    add("ReduceMax", ["heat"], "score", axes=[1, 2], keepdims=0)
    map_size: Size = [BATCH, layout.rows, layout.columns]
    mean_size: Size = [BATCH, heads.whitening.matrix.shape[1]]
    return nodes.model([("score", [BATCH]), ("heat", map_size), ("features", mean_size)])


def _memory(nodes: Nodes, white: str, heads: Heads) -> str:
    """Distance to the nearest centre c: x.x - 2 max(x.c - c.c / 2), one matrix product for all centres. [n, cells]."""
    add, weight, centres = nodes.add, nodes.weight, heads.memory.centres
    half = (centres * centres).sum(axis=1) / np.float32(2.0)
    nearness = add("MatMul", [white, weight("memory.centres", np.ascontiguousarray(centres.T))], "memory.products")
    nearness = add("Sub", [nearness, weight("memory.half", half)], "memory.nearness")
    nearness = add("ReduceMax", [nearness], "memory.nearest", axes=[2], keepdims=0)
    own = add("ReduceSumSquare", [white], "memory.own", axes=[2], keepdims=0)
    twice = add("Mul", [nearness, weight("memory.two", np.float32(2.0))], "memory.twice")
    squared = add("Sub", [own, twice], "memory.squared")
    squared = add("Max", [squared, weight("memory.zero", np.float32(0.0))], "memory.positive")
    return add("Sqrt", [squared], "memory.distance")


def _turned(nodes: Nodes, white: str, gaussian: Gaussian) -> str:
    """(x - mean) @ root of each place's block: [groups, n * cells of a block, d]."""
    add, weight, layout = nodes.add, nodes.weight, nodes.layout
    directions, block = gaussian.mean.shape[1], gaussian.block
    part = add("Sub", [white, weight("gaussian.mean", gaussian.mean)], "gaussian.centred")
    if block == 1:
        part = add("Transpose", [part], "gaussian.rows", perm=[1, 0, 2])
    else:
        down, across = layout.rows // block, layout.columns // block
        part = nodes.shaped(part, "gaussian.blocks", -1, down, block, across, block, directions)
        part = add("Transpose", [part], "gaussian.grouped", perm=[1, 3, 0, 2, 4, 5])
        part = nodes.shaped(part, "gaussian.rows", down * across, -1, directions)
    return add("MatMul", [part, weight("gaussian.root", gaussian.root)], "gaussian.turned")


def _in_place(nodes: Nodes, value: str, name: str, gaussian: Gaussian) -> str:
    """From [groups, n * cells of a block] back to [n, cells]."""
    layout, block = nodes.layout, gaussian.block
    if block == 1:
        return nodes.add("Transpose", [value], name, perm=[1, 0])
    value = nodes.shaped(value, f"{name}.blocks", layout.rows // block, layout.columns // block, -1, block, block)
    value = nodes.add("Transpose", [value], f"{name}.back", perm=[2, 0, 3, 1, 4])
    return nodes.shaped(value, name, -1, layout.cells)


def _distance(nodes: Nodes, turned: str, gaussian: Gaussian) -> str:
    """Mahalanobis distance at each position, [n, cells]."""
    squared = nodes.add("ReduceSumSquare", [turned], "gaussian.squared", axes=[2], keepdims=0)
    root = nodes.add("Sqrt", [squared], "gaussian.length")
    return _in_place(nodes, root, "gaussian.distance", gaussian)


def _z(nodes: Nodes, distance: str, head: str, heads: Heads) -> str:
    calibration = heads.memory_z if head == "memory" else heads.gaussian_z
    value = nodes.add("Sub", [distance, nodes.weight(f"{head}.z.mean", calibration.mean)], f"{head}.above")
    slope = nodes.weight(f"{head}.z.slope", np.float32(1.0) / calibration.spread)
    return nodes.add("Mul", [value, slope], f"{head}.z")


def _linear(nodes: Nodes, turned: str, heights: dict[str, str], gaussian: Gaussian, head: LinearHead) -> str:
    """What the labels taught, scaled and shifted: [n, cells]."""
    add, weight = nodes.add, nodes.weight
    straight = add("MatMul", [turned, weight("head.straight", head.straight[:, None])], "head.straight.said")
    square = add("Mul", [turned, turned], "head.square")
    square = add("Add", [square, weight("head.one", np.float32(1.0))], "head.above_one")
    bent = add("Log", [square], "head.bent.rows")
    bent = add("MatMul", [bent, weight("head.bent", head.bent[:, None])], "head.bent.said")
    said = add("Add", [straight, bent], "head.rows")
    axis = weight("head.axis", np.array([2], np.int64))
    terms = [_in_place(nodes, add("Squeeze", [said, axis], "head.flat"), "head.features", gaussian)]
    low, high = weight("head.least", np.float32(LEAST_Z)), weight("head.most", np.float32(MOST_Z))
    for name, slope in (("memory", head.memory), ("gaussian", head.gaussian)):
        value = add("Clip", [heights[name], low, high], f"head.{name}.z")
        terms.append(add("Mul", [value, weight(f"head.{name}", np.float32(slope))], f"head.{name}.said"))
    said = add("Sum", terms, "head.sum")
    said = add("Mul", [said, weight("head.scale", np.float32(head.scale))], "head.scaled")
    shift = np.float32(head.shift + head.bias * head.scale)
    return add("Add", [said, weight("head.shift", shift)], "head.said")
