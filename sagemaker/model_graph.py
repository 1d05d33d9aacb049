"""The computing graph of a packaged model: exported from PyTorch, then made smaller.

Needs the extra `model`. Two things differ from a plain export, and neither changes what the model
means; `package_model.py` compares every graph with its source before it packages it.

*The last layer is computed for the first token only.* The classification head reads nothing else,
so queries and feed-forward of the other tokens are work for nobody: 7 % of a 12-layer model.

*int8 has one scale per token and one per output channel.* Weights are signed in seven bits,
activations unsigned in eight around 128, x = scale * (q - 128) with scale = max |x| of that token
divided by 127. A scale over the whole batch, which is what dynamic quantisation usually means,
makes a tweet's answer depend on its neighbours and is coarser. Seven bits, because the int8
instructions of processors without VNNI add two products of eight bits in sixteen, which overflows:
two of 255 * 63 do not. So every processor computes the same integers. Attention, softmax and
layer norms stay in fp32, attention unfused.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

OPSET = 20  # the first with Gelu as one operation
WEIGHT_MAX = 63  # seven bits, see above
ACTIVATION_MAX = 127
ZERO = 128
ROW_MAX = 127  # rows of embeddings are only looked up: all eight bits
# int8 for tables from this size on; smaller ones, such as position types, are not worth a node.
SMALL_TABLE = 4096


class FirstTokenEncoder(nn.Module):
    """A BERT or RoBERTa classifier whose last layer knows that only the first token is read."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        base = model.base_model
        self.embeddings, self.layers = base.embeddings, base.encoder.layer
        self.pooler, self.classifier = getattr(base, "pooler", None), model.classifier
        self.heads = model.config.num_attention_heads
        self.width = model.config.hidden_size // self.heads

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return logits (batch, labels) of int64 ids and mask (batch, sequence)."""
        lowest = torch.finfo(torch.float32).min
        bias = (1.0 - attention_mask[:, None, None, :].to(torch.float32)) * lowest
        x = self.embeddings(input_ids=input_ids)
        for i, layer in enumerate(self.layers):
            attention = layer.attention.self
            key, value = self._by_head(attention.key(x)), self._by_head(attention.value(x))
            if i == len(self.layers) - 1:
                x = x[:, :1]
            query = self._by_head(attention.query(x))
            weights = torch.softmax(query @ key.transpose(2, 3) * self.width**-0.5 + bias, -1)
            context = (weights @ value).transpose(1, 2).flatten(2)
            x = layer.attention.output(context, x)
            x = layer.output(layer.intermediate(x), x)
        return self.classifier(x if self.pooler is None else self.pooler(x))

    def _by_head(self, x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(2, (self.heads, self.width)).transpose(1, 2)


class WholeModel(nn.Module):
    """Any other classifier, exported as it is."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return logits (batch, labels) of int64 ids and mask (batch, sequence)."""
        logits: torch.Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits


def exported(model: Any, longest: int) -> onnx.ModelProto:
    """Return the graph of a sequence classifier in fp32: ids and mask in, logits out.

    Both axes are dynamic, up to `longest` tokens. Names, stack traces and paths of the machine
    are taken out: the same weights make the same bytes.
    """
    lean = model.config.model_type in {"roberta", "bert"}
    network = (FirstTokenEncoder if lean else WholeModel)(model).eval()
    example = torch.full((2, 9), 5, dtype=torch.int64)
    axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("sequence", max=longest)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            (example, torch.ones_like(example)),
            input_names=["input_ids", "attention_mask"],
            output_names=["logits"],
            dynamic_shapes=(axes, axes),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    graph = program.model_proto
    del graph.graph.value_info[:], graph.graph.metadata_props[:], graph.metadata_props[:]
    del graph.functions[:]
    graph.doc_string = graph.graph.doc_string = ""
    for node in graph.graph.node:
        del node.metadata_props[:]
        node.doc_string = node.name = ""
    for value in (*graph.graph.input, *graph.graph.output, *graph.graph.initializer):
        del value.metadata_props[:]
    return graph


def int8(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph with its matrices and tables in int8, as this module's docstring says."""
    return _Rewriter(graph).rewritten()


def bf16(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph with its weights stored in bfloat16 and computed in fp32.

    ONNX Runtime has no bfloat16 arithmetic on x86: the weights are widened once, when the model
    is loaded. Half the size on disk, the speed and memory of fp32.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(graph)
    nodes, kept = [], []
    for tensor in copy.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < SMALL_TABLE:
            kept.append(tensor)
            continue
        values = numpy_helper.to_array(tensor).astype(np.float32).view(np.uint32)
        # Round to nearest, ties to even: the upper half of the bits, with the carry of the lower.
        upper = ((values + 0x7FFF + ((values >> 16) & 1)) >> 16).astype(np.uint16)
        kept.append(
            helper.make_tensor(
                f"{tensor.name}_bf16", TensorProto.BFLOAT16, tensor.dims, upper.tobytes(), raw=True
            )
        )
        nodes.append(
            helper.make_node("Cast", [f"{tensor.name}_bf16"], [tensor.name], to=TensorProto.FLOAT)
        )
    nodes += copy.graph.node
    _replace(copy, nodes, kept)
    return copy


class _Rewriter:
    """Rewrites one graph; holds the nodes and constants made so far."""

    def __init__(self, graph: onnx.ModelProto) -> None:
        self._graph = onnx.ModelProto()
        self._graph.CopyFrom(graph)
        self._weights = {tensor.name: tensor for tensor in self._graph.graph.initializer}
        self._nodes: list[Any] = []
        self._made: list[Any] = []
        self._quantized: dict[str, tuple[str, str]] = {}

    def rewritten(self) -> onnx.ModelProto:
        self._constant("int8_last", np.array([-1], np.int64))
        self._constant("int8_tiny", np.array(1e-12, np.float32))  # a token of zeros has a scale too
        self._constant("int8_step", np.array(1 / ACTIVATION_MAX, np.float32))
        self._constant("int8_zero", np.array(ZERO, np.uint8))
        self._constant("int8_none", np.array(0, np.int8))
        for node in list(self._graph.graph.node):
            weight = self._weight(node)
            if weight is None:
                self._nodes.append(node)
            elif node.op_type == "Gather":
                self._look_up(node, weight)
            else:
                self._multiply(node, weight)
        used = {name for node in self._nodes for name in node.input}
        kept = [t for t in self._graph.graph.initializer if t.name in used]
        _replace(self._graph, self._nodes, kept + self._made)
        self._graph.opset_import.append(helper.make_opsetid("com.microsoft", 1))
        return self._graph

    def _weight(self, node: Any) -> np.ndarray | None:
        """Return the matrix that this node multiplies by or looks up in, if it is worth it."""
        at = {"MatMul": 1, "Gemm": 1, "Gather": 0}.get(node.op_type)
        tensor = None if at is None else self._weights.get(node.input[at])
        if tensor is None or tensor.data_type != TensorProto.FLOAT or len(tensor.dims) != 2:
            return None
        if node.op_type == "Gather" and np.prod(tensor.dims) < SMALL_TABLE:
            return None
        weight = numpy_helper.to_array(tensor)
        transposed = any(a.name == "transB" and a.i for a in node.attribute)
        return weight.T if transposed else weight

    def _look_up(self, node: Any, table: np.ndarray) -> None:
        """One scale per row, looked up beside it."""
        name, out = node.input[0], node.output[0]
        scale = np.maximum(np.abs(table).max(axis=1, keepdims=True), 1e-12) / ROW_MAX
        if f"{name}_int8" not in {t.name for t in self._made}:
            self._constant(f"{name}_int8", np.rint(table / scale).astype(np.int8))
            self._constant(f"{name}_scale", scale.astype(np.float32))
        self._node("Gather", [f"{name}_int8", node.input[1]], f"{out}_row")
        self._node("Gather", [f"{name}_scale", node.input[1]], f"{out}_scale")
        self._node("Cast", [f"{out}_row"], f"{out}_whole", to=TensorProto.FLOAT)
        self._node("Mul", [f"{out}_whole", f"{out}_scale"], out)

    def _multiply(self, node: Any, weight: np.ndarray) -> None:
        """One scale per output channel; the integers are summed exactly, then scaled."""
        out = node.output[0]
        scale = np.maximum(np.abs(weight).max(axis=0), 1e-12) / WEIGHT_MAX
        self._constant(f"{out}_int8", np.rint(weight / scale).astype(np.int8))
        self._constant(f"{out}_scale", scale.astype(np.float32))
        tokens, largest = self._tokens(node.input[0])
        inputs = [tokens, f"{out}_int8", "int8_step", f"{out}_scale", "int8_zero", "int8_none"]
        self._node("MatMulIntegerToFloat", inputs, f"{out}_sum", domain="com.microsoft")
        bias = node.input[2] if len(node.input) > 2 else ""
        self._node("Mul", [f"{out}_sum", largest], f"{out}_product" if bias else out)
        if bias:
            self._node("Add", [f"{out}_product", bias], out)

    def _tokens(self, name: str) -> tuple[str, str]:
        """Quantise activations, each token by its own largest; once for all who multiply them."""
        if name not in self._quantized:
            self._node("ReduceMax", [name, "int8_last"], f"{name}_high", keepdims=1)
            self._node("ReduceMin", [name, "int8_last"], f"{name}_low", keepdims=1)
            self._node("Neg", [f"{name}_low"], f"{name}_depth")
            largest = f"{name}_largest"
            self._node("Max", [f"{name}_high", f"{name}_depth", "int8_tiny"], largest)
            self._node("Div", [name, largest], f"{name}_share")
            tokens = f"{name}_tokens"
            self._node("QuantizeLinear", [f"{name}_share", "int8_step", "int8_zero"], tokens)
            self._quantized[name] = (tokens, largest)
        return self._quantized[name]

    def _constant(self, name: str, values: np.ndarray) -> None:
        self._made.append(numpy_helper.from_array(np.ascontiguousarray(values), name))

    def _node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))


def _replace(graph: onnx.ModelProto, nodes: list[Any], constants: list[Any]) -> None:
    nodes, constants = list(nodes), list(constants)
    del graph.graph.node[:], graph.graph.initializer[:]
    graph.graph.node.extend(nodes)
    graph.graph.initializer.extend(constants)


def saved(graph: onnx.ModelProto, path: Path) -> None:
    """Write the graph with its weights as one file, the same bytes for the same graph."""
    path.write_bytes(graph.SerializeToString(deterministic=True))
