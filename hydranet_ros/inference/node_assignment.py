"""
Which provider runs each node of a session.

``InferenceSession.get_providers()`` lists the providers that are registered, not those that run
something. ONNX Runtime gives a node that a provider cannot run to the next one, silently.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

_OPERATORS_NAMED = 4
_SHORT_NAMES: Mapping[str, str] = {
    'CPUExecutionProvider': 'CPU',
    'CUDAExecutionProvider': 'CUDA provider',
    'TensorrtExecutionProvider': 'TensorRT provider',
}
Assignment = Mapping[str, Counter[str]]
"""Number of nodes by operator, by ONNX Runtime's name of the provider."""


def node_assignment(session: Any) -> Assignment:
    """
    Return the nodes of each provider.

    :param session: ``onnxruntime.InferenceSession`` that records its assignment.
    :returns: empty if it did not record it, or if ONNX Runtime is too old.
    """
    read = getattr(session, 'get_provider_graph_assignment_info', None)
    if read is None:
        return {}
    found: dict[str, Counter[str]] = {}
    try:
        for part in read():
            operators = found.setdefault(part.ep_name, Counter())
            operators.update(node.op_type for node in part.get_nodes())
    except Exception:  # a session that does not record raises an error of its own
        return {}
    return found


def assignment_note(session: Any, requested: str) -> str:
    """
    Return a sentence if nodes run elsewhere than requested, else an empty string.

    :param requested: ONNX Runtime's name of the provider.
    """
    assignment = node_assignment(session)
    total = sum(sum(operators.values()) for operators in assignment.values())
    return ' '.join(
        f'{sum(operators.values())} of {total} nodes run on the '
        f'{_SHORT_NAMES.get(name, name)}: {_names(operators)}.'
        for name, operators in sorted(assignment.items())
        if name != requested and operators
    )


def _names(operators: Counter[str]) -> str:
    """Return the most frequent operators."""
    names = [name for name, _ in operators.most_common(_OPERATORS_NAMED)]
    rest = len(operators) - len(names)
    return ', '.join(names) + (f' and {rest} more' if rest > 0 else '')
