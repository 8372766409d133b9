"""A detached network as the bytes of a file: `.pt2` of `torch.export`, ONNX, safetensors."""

import copy
import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from forger.errors import ConfigError, ForgerError
from forger.export.detaching import Detached

#: The name under which every file has what is known of it, one JSON document; of a `.pt2` the extra file of this name.
METADATA = "forger"
#: Samples on which a file is compared with torch, and the largest difference for outputs of the size of 1.
_COMPARED = 5
_TOLERANCE = 1e-4


def traced(part: Detached) -> ExportedProgram:
    """The program of a part, for any number of samples at a time, with the weights that it uses and no others.

    Raises:
        ConfigError: the network does what torch can't follow.
    """
    program = _traced(part.called, part)
    if unused := _unused(program):
        smaller = copy.deepcopy(part.called)
        for name in unused:
            path, _, leaf = name.rpartition(".")
            setattr(smaller.get_submodule(path), leaf, None)
        with suppress(ConfigError):  # one that asks for a weight without using it keeps all of them
            program = _traced(smaller, part)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # names folders of this machine
    return program


def as_pt2(program: ExportedProgram, part: Detached, about: str) -> bytes:
    """The file that `torch.export.load` reads, with a text beside the program.

    Raises:
        ForgerError: what it answers differs from what the game does.
    """
    buffer = io.BytesIO()
    with _quiet(), torch.no_grad():
        torch.export.save(program, buffer, extra_files={METADATA: about})
        made = torch.export.load(io.BytesIO(buffer.getvalue())).module()(*_examples(part).values())
    _check(part, dict(zip(part.outputs, made if isinstance(made, tuple) else (made,), strict=True)))
    return buffer.getvalue()


def as_onnx(program: ExportedProgram, part: Detached, about: str) -> bytes:
    """An ONNX model, with a text in its metadata.

    Raises:
        ConfigError: the network does what ONNX has no operator for.
        ForgerError: what it answers, asked by onnxruntime, differs from what the game does.
    """
    try:
        with _quiet():
            made: Any = torch.onnx.export(
                program,
                dynamo=True,
                verbose=False,
                input_names=list(part.inputs),
                output_names=list(part.outputs),
                dynamic_shapes=_dimensions(part),
            )
        for graph in (made.model.graph, *(function.graph for function in made.model.functions.values())):
            for node in graph:
                node.metadata_props.clear()  # names folders of this machine
        made.model.metadata_props[METADATA] = about
        content = made.model_proto.SerializeToString()
    except Exception as error:  # of torch, of onnxscript, or of what holds no more than 2 GB
        raise ConfigError(f"{_name(part)} has no ONNX form ({_reason(error)}); --format pt2 may take it") from error
    _check(part, _answers(content, part))
    return content


def as_safetensors(network: nn.Module, about: str) -> bytes:
    """The state dict of a network, with a text in its metadata."""
    return safetensors.torch.save(tensors_of(network), metadata={METADATA: about})


def tensors_of(network: nn.Module) -> dict[str, Tensor]:
    """The state dict of a network, each tensor with memory of its own."""
    return {name: tensor.detach().clone(memory_format=torch.contiguous_format)
            for name, tensor in network.state_dict().items()}  # fmt: skip


def _traced(called: nn.Module, part: Detached) -> ExportedProgram:
    reasons = []
    for strict in (False, True):  # the second reads the Python code, and takes what the first makes constants of
        try:
            with _quiet(), torch.no_grad():
                return torch.export.export(
                    called, tuple(part.inputs.values()), dynamic_shapes=_dimensions(part), strict=strict
                )
        except Exception as error:  # whatever torch or a network of the user's raises
            reasons.append(error)
    raise ConfigError(f"{_name(part)} can't be exported: torch.export says {_reason(reasons[0])}") from reasons[0]


def _dimensions(part: Detached) -> dict[str, dict[int, Dim]]:
    """The free dimensions of each input."""
    sides = {2: Dim("height"), 3: Dim("width")} if part.part.any_size else {}
    return {name: {0: Dim("batch"), **sides} for name in part.inputs}


def _unused(program: ExportedProgram) -> list[str]:
    """Names of the weights that the program has no use for."""
    signature = program.graph_signature
    targets = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    return [targets[node.name] for node in program.graph.nodes if node.name in targets and not node.users]


def _answers(model: bytes, part: Detached) -> Mapping[str, Tensor]:
    """What onnxruntime makes of the inputs that are compared."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    given = {name: example.numpy() for name, example in _examples(part).items()}
    made = session.run(list(part.outputs), given)
    return {name: torch.from_numpy(output) for name, output in zip(part.outputs, made, strict=True)}


def _check(part: Detached, made: Mapping[str, Tensor]) -> None:
    with torch.no_grad():
        wanted = part.called(*_examples(part).values())
    for name, want in zip(part.outputs, wanted if isinstance(wanted, tuple) else (wanted,), strict=True):
        difference = (made[name] - want).abs().max() / want.abs().max().clamp(min=1)
        if not difference <= _TOLERANCE:
            raise ForgerError(f"{_name(part)}: its {name} in the file differ from the game's by {difference:.2g}")


def _examples(part: Detached) -> dict[str, Tensor]:
    stream = torch.Generator().manual_seed(0)
    return {
        name: torch.rand(_COMPARED, *example.shape[1:], generator=stream).mul(2).sub(1)
        if example.is_floating_point() else torch.zeros(_COMPARED, dtype=example.dtype)
        for name, example in part.inputs.items()
    }  # fmt: skip


def _name(part: Detached) -> str:
    return f"model.{part.part.network} (the {part.name})"


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


@contextmanager
def _quiet() -> Iterator[None]:
    """Nothing of torch's attempts on the terminal, be it warnings, logs or prints: an error says what is wrong."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
