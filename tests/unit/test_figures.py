"""Figures of attention and of masks say what they are given."""

import matplotlib.pyplot as plt
import torch

from minilib.figures import head_grid, overlay
from minilib.figures.frusta import draw_frusta
from minilib.figures.masks import COLORS, draw_masks, painted
from minilib.views.cameras import Camera, orbit, project, unproject


def test_overlay_is_hot_where_the_map_is_high():
    images, maps = torch.zeros(2, 3, 4, 4), torch.zeros(2, 4, 4)
    maps[0, 1, 2], maps[1] = 5.0, 1.0
    shown = overlay(images, maps)
    assert shown.shape == images.shape
    assert shown.amin() >= -1 and shown.amax() <= 1
    assert shown[0].sum(0).argmax() == 4 * 1 + 2
    torch.testing.assert_close(shown[1], shown[1][:, :1, :1].expand(3, 4, 4))  # nothing stands out


def test_overlay_of_no_strength_is_the_grey_picture():
    image = torch.linspace(-1, 1, 48).reshape(3, 4, 4)
    torch.testing.assert_close(overlay(image, torch.rand(4, 4), strength=0.0), image.mean(0).expand(3, 4, 4))


def test_head_grid_has_a_row_a_layer_and_a_column_a_head():
    layers = [torch.full((3, 5, 5), 0.01) for _ in range(2)]
    layers[0][1, 2, 4] = layers[1][2, 2, 1] = 1.0
    figure = head_grid(layers, torch.zeros(3, 8, 8), (2, 2), query=2, num_prefix=1, first=5)
    assert [axis.get_title() for axis in figure.axes[:3]] == ["head 1", "head 2", "head 3"]
    assert [figure.axes[k].get_ylabel() for k in (0, 3)] == ["layer 5", "layer 6"]
    shown = [axis.images[0].get_array().sum(-1) for axis in figure.axes]
    assert [bool(picture.max() > picture.min()) for picture in shown] == [k in (1, 5) for k in range(6)]
    assert shown[1][7, 7] == shown[1].max() and shown[5][0, 0] == shown[5].max()


def test_masks_are_painted_and_the_last_one_is_seen():
    image, masks = torch.zeros(3, 4, 4), torch.zeros(2, 4, 4, dtype=torch.bool)
    masks[0, :2], masks[1, 1] = True, True
    shown = painted(image, masks)
    for row, number in ((0, 0), (1, 1)):
        wanted = 0.55 * (2 * torch.tensor(COLORS[number]) - 1)
        torch.testing.assert_close(shown[:, row], wanted[:, None].expand(3, 4))
    assert torch.equal(shown[:, 2:], image[:, 2:]) and torch.equal(painted(image, masks[:0]), image)


def test_a_picture_with_masks_and_what_was_asked():
    figure, axis = plt.subplots()
    masks = torch.zeros(3, 8, 8, dtype=torch.bool)
    masks[0, 2:5, 2:5], masks[1] = True, True  # the second one has no outline, the third is empty
    points, labels = torch.tensor([[3.0, 3], [6, 6]]), torch.tensor([1, 0])
    draw_masks(axis, torch.zeros(3, 8, 8), masks, points=points, labels=labels, box=(1, 1, 6, 6), title="all")
    assert [line.get_marker() for line in axis.lines] == ["o", "X", "None"] and len(axis.collections) == 1
    assert axis.lines[1].get_xydata().tolist() == [[6, 6]] and axis.get_title() == "all"
    plt.close(figure)


def test_a_camera_is_drawn_where_it_is_and_hidden_by_what_is_nearer():
    viewer, camera = orbit(-1.2, 0.4, 8.0), orbit(1.6, 0.3, 2.5)
    one = Camera(camera.camera_to_world[None], camera.intrinsics[None])
    image, picture = torch.ones(3, 120, 120), torch.zeros(3, 8, 8)
    picture[0] = 1.0
    shown = draw_frusta(image, torch.full((120, 120), torch.inf), viewer, one, [picture], size=0.8)
    middle = unproject(camera, torch.tensor([[0.25, 0.25]]).double(), torch.tensor([0.8]).double())
    for point, expected in (
        (middle[0], torch.tensor([1.0, 0.0, 0.0])),
        (camera.position, 2 * torch.tensor(COLORS[0]) - 1),
    ):
        column, row = (project(viewer, point[None])[0][0] * 120).long().tolist()
        torch.testing.assert_close(shown[:, row, column], expected)
    behind = draw_frusta(image, torch.full((120, 120), 0.5), viewer, one, [picture], size=0.8)
    assert torch.equal(behind, image) and image.min() == 1.0
