"""The interface of all encoders."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor, nn

# Feature maps grouped by stride, deepest first: those of stride 32, 16, 8 and 4.
Features = list[list[Tensor]]
State = dict[str, Tensor]


class Encoder(nn.Module):
    """
    A backbone that returns its feature maps at strides 32, 16, 8 and 4.

    :ivar channels: channels of the feature maps, grouped by stride, deepest first.
    """

    channels: tuple[tuple[int, ...], ...]

    @property
    @abstractmethod
    def first_convolution(self) -> nn.Conv2d:
        """Return the convolution that reads the image."""

    @abstractmethod
    def forward(self, x: Tensor) -> Features:
        """Map a normalized image (B, 3, H, W) to features at strides 32, 16, 8 and 4."""

    @staticmethod
    def from_torchvision(state: State) -> State:
        """
        Translate the ``state_dict`` of torchvision's classifier to the keys of this encoder.

        States in our own keys, and unknown keys, pass through.
        """
        return state
