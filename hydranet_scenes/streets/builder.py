"""Build the MuJoCo model of a street."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydranet_scenes.rendering.scene_builder import SceneBuilder, mjcf_numbers
from hydranet_scenes.streets.classes import SKY


@dataclass(frozen=True)
class StreetLighting:
    """
    Sun, sky and ambient light of a street; strengths are about 0..1.

    :param sun_direction: (3,) unit vector along which the sunlight travels.
    :param sky_strength: of the light from straight above.
    :param ambient_strength: of the light from all directions.
    :param sky_color: background color, RGB 0..1.
    """

    sun_direction: Sequence[float] | NDArray = (0.0, 0.0, -1.0)
    sun_strength: float = 0.6
    sky_strength: float = 0.2
    ambient_strength: float = 0.3
    sky_color: tuple[float, float, float] = (1.0, 1.0, 1.0)


class StreetBuilder(SceneBuilder):
    """The parts of a street: x points along it, y to the left, z up."""

    background = SKY

    def xml(
        self, lighting: StreetLighting, *, size: tuple[int, int], shadow_map: int = 1024
    ) -> str:
        """
        Return the street's MJCF document.

        :param size: largest (height, width) that will be rendered, in pixels.
        :param shadow_map: side of the shadow map in pixels. The map covers 180 m.
        """
        assets, geoms, bodies = self._joined_parts()
        sun, light = lighting.sun_direction, lighting.sun_strength
        shadow = 'true' if light > 0.2 else 'false'
        direction, position = mjcf_numbers(sun), mjcf_numbers(-60 * np.asarray(sun))
        sun_color = mjcf_numbers([light, light * 0.97, light * 0.9])
        sky_light = mjcf_numbers([lighting.sky_strength] * 3)
        ambient = mjcf_numbers([lighting.ambient_strength] * 3)
        sky = mjcf_numbers(lighting.sky_color)
        return f"""<mujoco>
<compiler angle="degree"/>
<visual>
  <global offwidth="{size[1]}" offheight="{size[0]}"/>
  <quality shadowsize="{shadow_map}" offsamples="4"/>
  <headlight ambient="{ambient}" diffuse="0.08 0.08 0.08" specular="0 0 0"/>
  <map znear="0.0005" zfar="0.6" shadowclip="0.09" shadowscale="0.9"/>
</visual>
<statistic center="40 0 0" extent="1000"/>
<asset>
  <texture type="skybox" builtin="flat" rgb1="{sky}" width="8" height="48"/>
  {assets}
</asset>
<worldbody>
  <light directional="true" castshadow="{shadow}" dir="{direction}" pos="{position}"
         diffuse="{sun_color}" specular="0.3 0.3 0.3"
         ambient="0 0 0"/>
  <light directional="true" castshadow="false" dir="0.1 0.15 -1" pos="0 0 60"
         diffuse="{sky_light}" specular="0 0 0" ambient="0 0 0"/>
  <camera name="camera" pos="0 0 1.65" xyaxes="0 -1 0 0 0 1" fovy="30"/>
  {geoms}
  {bodies}
</worldbody>
</mujoco>"""
