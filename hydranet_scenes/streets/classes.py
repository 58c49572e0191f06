"""Class ids of streets: those of ``config/classes/kitti6.yaml``, and 255 for unlabeled."""

SKY, BUILDING, ROAD, SIDEWALK, VEGETATION, CAR, OTHER = 0, 1, 2, 3, 4, 5, 255
