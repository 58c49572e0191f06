"""
The table of execution providers.

:data:`PROVIDERS` is ordered from best to worst. A new provider is one class with the interface of
:class:`~hydranet_ros.inference.session.Provider` and one more entry here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hydranet_ros.inference.onnx_providers import CpuProvider, CudaProvider, TensorrtProvider
from hydranet_ros.inference.openvino_provider import OpenvinoProvider
from hydranet_ros.inference.session import Provider

_ALL: tuple[Provider, ...] = (
    TensorrtProvider(),
    CudaProvider(),
    OpenvinoProvider(),
    CpuProvider(),
)
PROVIDERS: Mapping[str, Provider] = MappingProxyType({item.name: item for item in _ALL})
