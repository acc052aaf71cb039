"""The z-buffer."""

import numpy as np

from benchmarks.training.rendered.raster import draw, normals

RED, GREEN = (255.0, 0, 0), (0, 255.0, 0)


def test_the_nearer_triangle_is_seen_and_nothing_is_drawn_elsewhere() -> None:
    image = np.zeros((40, 60, 3), np.float32)
    far = np.array([[-2.0, -2, 4], [2, -2, 4], [-2, 2, 4]])
    near = np.array([[-0.2, -0.2, 1], [0.2, -0.2, 1], [-0.2, 0.2, 1]])
    behind = near * (1, 1, -1)
    colours = np.array([GREEN] * 3 + [RED] * 3 + [RED] * 3)
    draw(image, np.concatenate([near, far, behind]), np.arange(9).reshape(3, 3), colours, 30.0)
    assert image[15, 25].tolist() == list(GREEN)
    assert image[7, 17].tolist() == list(RED)
    assert image[38, 58].tolist() == [0, 0, 0]
    assert 300 < (image > 0).any(-1).sum() < 600  # half of 30 × 30 px


def test_normals_point_out_of_the_front() -> None:
    square = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    found = normals(square, np.array([[0, 1, 2], [0, 2, 3]]))
    assert np.allclose(found, [0, 0, 1])
