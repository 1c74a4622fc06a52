"""Bad input to the library of views, as users meet it: without shape checks."""

import json
import math
import shutil

import pytest
import torch
from PIL import Image

from minilib.recipes.views_toybox import ViewsToybox
from minilib.toybox.catalog import make_toy
from minilib.toybox.photograph import main as photographer
from minilib.toybox.photograph import photograph
from minilib.views.cameras import Camera, orbit, plucker_rays, project, random_orbit, ray_directions
from minilib.views.denoiser import ViewDenoiser, ViewDenoiserConfig
from minilib.views.inputs import Views, check_views
from minilib.views.lifted import LiftedConfig
from minilib.views.pose_search import PoseGrid, search_poses
from minilib.views.poses import Adaptation
from minilib.views.relative import check_cameras
from minilib.views.transformer import ViewTransformer, ViewTransformerConfig

CAMERA = orbit(0.3, 0.2, 2.9)

SMALL = LiftedConfig(image_size=16, encoder=(8, 16), channels=8, volume_size=8, render_size=8)


def changed(**entries):
    """The camera with entries of its pose replaced, such as r00 or t3."""
    pose = CAMERA.camera_to_world.clone()
    for name, value in entries.items():
        pose[int(name[1]), int(name[2])] = value
    return Camera(pose, CAMERA.intrinsics)


@pytest.mark.parametrize(
    ("camera", "words"),
    [
        (Camera(CAMERA.camera_to_world, None), "expected intrinsics (*b, 3, 3) beside the poses, got None"),
        (Camera(CAMERA.camera_to_world[None], CAMERA.intrinsics), "got (1, 4, 4) and (3, 3)"),
        (Camera(CAMERA.camera_to_world[:3], CAMERA.intrinsics), "got (3, 4) and (3, 3)"),
        (changed(r03=math.nan), "expected finite poses and intrinsics, got NaN or infinity"),
        (
            Camera(CAMERA.camera_to_world @ torch.diag(torch.tensor([2.0, 1, 1, 1]).double()), CAMERA.intrinsics),
            "off from the identity by",
        ),
        (
            Camera(CAMERA.camera_to_world @ torch.diag(torch.tensor([-1.0, 1, 1, 1]).double()), CAMERA.intrinsics),
            "got a mirrored one",
        ),
        (changed(r30=0.5), "expected 0 0 0 1 as the last row of camera_to_world"),
        (Camera(CAMERA.camera_to_world, -CAMERA.intrinsics), "expected focal lengths > 0"),
        (
            Camera(CAMERA.camera_to_world, torch.diag(torch.tensor([64.0, 64, 1]).double()) @ CAMERA.intrinsics),
            "expected intrinsics in shares of the image's size, with a principal point near (0.5, 0.5), got one at"
            " (32, 32): divide",
        ),
        (Camera(torch.zeros(1, 0, 4, 4), torch.zeros(1, 0, 3, 3)), "at least one camera, got poses (1, 0, 4, 4)"),
    ],
)
def test_what_is_no_camera(camera, words):
    with pytest.raises(ValueError) as caught:
        check_cameras(camera)
    assert words in str(caught.value)


def test_a_scaled_rotation_says_by_how_much():
    scaled = Camera(CAMERA.camera_to_world.clone(), CAMERA.intrinsics)
    scaled.camera_to_world[:3, :3] *= 1.1
    with pytest.raises(ValueError, match=r"off from the identity by 0\.21"):
        check_cameras(scaled)


def test_orbits_out_of_range():
    generator = torch.Generator()
    with pytest.raises(ValueError, match="expected count >= 1 and bounds"):
        random_orbit(0, generator)
    with pytest.raises(ValueError, match="expected count >= 1 and bounds"):
        random_orbit(3, generator, elevation=(0.5, 0.1))
    with pytest.raises(ValueError, match="expected an elevation in radians"):
        orbit(torch.zeros(2), torch.tensor([0.0, 2.0]), 2.9)
    with pytest.raises(ValueError, match="expected a finite azimuth"):
        orbit(torch.tensor([0.0, math.nan]), 0.0, 2.9)


def test_points_of_other_cameras():
    two = orbit(torch.tensor([0.0, 1.0]), 0.2, 2.9)
    for function, values in ((project, torch.zeros(3, 5, 3)), (ray_directions, torch.zeros(5, 2))):
        with pytest.raises(ValueError, match=r"that begin with the cameras' dimensions \(2,\), got"):
            function(two, values.double())
    assert plucker_rays(two, 2, 2).shape == (2, 6, 2, 2)


def test_meshes_are_photographed_once_and_through_one_lens(tmp_path):
    items, two = make_toy(0).items(), orbit(torch.tensor([0.0, 1.0]), 0.2, 2.9)
    photograph(items, two, tmp_path / "toy", image_size=8)
    with pytest.raises(FileExistsError, match=r"transforms.json exists: choose another folder, or remove it first"):
        photograph(items, two, tmp_path / "toy", image_size=8)
    intrinsics = two.intrinsics.clone()
    intrinsics[1, 0, 0] *= 2
    with pytest.raises(ValueError, match=r"expected one lens, fx = fy and \(cx, cy\) = \(0.5, 0.5\), got \[\["):
        photograph(items, Camera(two.camera_to_world, intrinsics), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_meshes_are_looked_at_before_the_first_is_photographed(tmp_path, capsys):
    for place in ("a/chair.ply", "b/chair.ply", "a/table.ply"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_text("ply")
    (tmp_path / "made" / "table").mkdir(parents=True)
    (tmp_path / "made" / "table" / "transforms.json").write_text("{}")
    for meshes, words in (
        (["a/chair.ply", "a/sofa.ply"], "expected a mesh file at"),
        (["a/chair.ply", "b/chair.ply"], "which name their folders; chair is there twice"),
        (["a/chair.ply", "a/table.ply"], "holds a transforms.json: choose another folder, or remove it first"),
    ):
        with pytest.raises(SystemExit):
            photographer([*(str(tmp_path / mesh) for mesh in meshes), "--folder", str(tmp_path / "made")])
        assert words in capsys.readouterr().err
    assert not (tmp_path / "made" / "chair").exists()


def some_views(**changes):
    """Two views of one object at 16 pixels, and a model for them."""
    camera = orbit(torch.tensor([[0.0, 1.0]]), 0.2, 2.9).to(torch.float32)
    return Views(**({"images": torch.zeros(1, 2, 3, 16, 16), "camera": camera} | changes))


def inside(distance):
    """Two cameras, the second so near."""
    return orbit(torch.tensor([[0.0, 1.0]]), 0.2, torch.tensor([[2.9, distance]])).to(torch.float32)


def away():
    """Two cameras, the second turned round."""
    camera = orbit(torch.tensor([[0.0, 1.0]]), 0.2, 2.9).to(torch.float32)
    camera.camera_to_world[0, 1, :3, [0, 2]] *= -1
    return camera


def beside():
    """Two cameras whose pictures, but for the first, are cut out far to the left."""
    camera = orbit(torch.tensor([[0.0, 1.0]]), 0.2, 2.9).to(torch.float32)
    intrinsics = camera.intrinsics.clone()
    intrinsics[0, 1, 0, 2] = 2.5
    return Camera(camera.camera_to_world, intrinsics)


@pytest.mark.parametrize(
    ("views", "words"),
    [
        (some_views(images=torch.zeros(2, 3, 16, 16)), "expected images (b, n, 3, h, w), got (2, 3, 16, 16)"),
        (some_views(images=torch.zeros(1, 0, 3, 16, 16)), "and one input view, got images (1, 0, 3, 16, 16)"),
        (some_views(images=torch.zeros(0, 2, 3, 16, 16)), "at least one object and one input view, got images (0, 2"),
        (some_views(images=torch.zeros(1, 2, 3, 16, 24)), "expected images of 16 × 16 pixels, got (16, 24)"),
        (some_views(images=torch.zeros(1, 3, 3, 16, 16)), "expected a camera for each of (1, 3) images, got (1, 2)"),
        (
            some_views(images=torch.full((1, 2, 3, 16, 16), 255.0)),
            "expected images in [-1, 1], got values in [255, 255]",
        ),
        (some_views(images=torch.full((1, 2, 3, 16, 16), math.nan)), "got values in [nan, nan]"),
        (some_views(camera=inside(0.5)), "expected input cameras outside the object, whose box reaches 1.05"),
        (
            some_views(camera=away()),
            "expected input cameras that look at the object at the origin; one has it 180° beside its axis, behind it",
        ),
        (
            some_views(camera=beside()),
            "look at the object at the origin; one has it 0° beside its axis, at (2.5, 0.5) of its picture",
        ),
    ],
)
def test_what_a_model_cannot_see_an_object_in(views, words):
    with pytest.raises(ValueError) as caught:
        check_views(views, image_size=16, trained=5)
    assert words in str(caught.value)


def test_pictures_of_bytes_targets_of_others_and_too_many_views():
    with pytest.raises(TypeError, match="expected floating-point images"):
        check_views(some_views(images=torch.zeros(1, 2, 3, 16, 16, dtype=torch.uint8)), image_size=16, trained=5)
    with pytest.raises(ValueError, match=r"expected target cameras \(1, m\), got \(2, 1\)"):
        targets = orbit(torch.zeros(2, 1), 0.2, 2.9).to(torch.float32)
        check_views(some_views(), targets, image_size=16, trained=5)
    with pytest.raises(ValueError, match=r"expected at least one camera, got poses \(1, 0, 4, 4\)"):
        check_views(some_views(), some_views().camera[:, :0], image_size=16, trained=5)
    with pytest.raises(ValueError, match="expected target cameras outside the object"):
        check_views(some_views(), inside(0.9), image_size=16, trained=5)
    with pytest.warns(UserWarning, match="2 input views: this model was trained with 1 at most"):
        check_views(some_views(), image_size=16, trained=1)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: LiftedConfig(image_size=60), "expected an image_size divisible by 8"),
        (lambda: LiftedConfig(volume_size=10), "and a volume_size divisible by 4, got 64 and 10"),
        (lambda: LiftedConfig(render_size=12), "expected a render_size that divides 64, got 12"),
        (lambda: LiftedConfig(render_size=0), "expected a render_size that divides 64, got 0"),
        (lambda: LiftedConfig(channels=20), "widths of the encoder divisible by 8, got 20 and (32, 48, 64)"),
        (lambda: LiftedConfig(encoder=(30, 48)), "widths of the encoder divisible by 8, got 24 and (30, 48)"),
        (lambda: LiftedConfig(num_samples=0), "expected num_samples >= 1 and extent > 0, got 0 and 1.05"),
        (lambda: LiftedConfig(extent=0.0), "expected num_samples >= 1 and extent > 0, got 20 and 0.0"),
        (
            lambda: ViewTransformerConfig(patch_size=7),
            "expected a patch_size that divides 64 and heads of a width divisible by 8",
        ),
        (lambda: ViewsToybox(num_targets=4), "at most 8 together, got 5 and 4"),
        (lambda: ViewsToybox(max_views=0), "expected max_views >= 1 and num_targets >= 1"),
        (lambda: ViewsToybox(blind=1.0), "expected blind in [0, 1)"),
    ],
)
def test_shapes_and_recipes_out_of_range(make, words):
    with pytest.raises(ValueError) as caught:
        make()
    assert words in str(caught.value)


def test_a_model_of_views_is_not_called_without_a_question():
    for model in (ViewDenoiser(ViewDenoiserConfig()), ViewTransformer(ViewTransformerConfig(depth=1))):
        with pytest.raises(TypeError, match="expected talk="):
            model()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: PoseGrid(azimuths=0), "a distance > 0 and steps > 0, got PoseGrid(azimuths=0"),
        (lambda: PoseGrid(elevations=()), "survivors >= 1, a distance > 0 and steps > 0, got PoseGrid("),
        (lambda: PoseGrid(finalists=0), "survivors >= 1, a distance > 0 and steps > 0, got PoseGrid("),
        (lambda: PoseGrid(steps=(0.1, 0.0)), "survivors >= 1, a distance > 0 and steps > 0, got PoseGrid("),
        (lambda: Adaptation(steps=0), "expected steps >= 1, learning_rate > 0 and no negative rate or weight, got"),
        (lambda: Adaptation(pose_rate=-1.0), "no negative rate or weight, got"),
        (lambda: Adaptation(pose_rate=math.nan), "no negative rate or weight, got"),
    ],
)
def test_settings_of_a_search_and_a_fit(make, words):
    with pytest.raises(ValueError) as caught:
        make()
    assert words in str(caught.value)


@pytest.mark.parametrize("temperature", [-0.5, math.nan, math.inf])
def test_temperatures_of_samples(temperature):
    recipe, views = ViewsToybox(), some_views()
    with pytest.raises(ValueError, match="expected a finite temperature >= 0, got"):
        recipe.make_views(None, views, views.camera, temperature=temperature)


@pytest.mark.parametrize("value", [255.0, math.nan])
def test_values_of_pictures_whose_cameras_are_looked_for(value):
    model = ViewDenoiser(ViewDenoiserConfig(lifted=SMALL, widths=(16, 32)))
    with pytest.raises(ValueError) as caught:
        search_poses(model, torch.full((2, 3, 16, 16), value), CAMERA.intrinsics)
    assert "expected images in [-1, 1], got values in" in str(caught.value)


@pytest.mark.parametrize(
    ("intrinsics", "words"),
    [
        (None, "expected intrinsics (*b, 3, 3) beside the poses, got None"),
        (CAMERA.intrinsics.expand(2, 3, 3), "got (4, 4) and (2, 3, 3)"),
    ],
)
def test_the_lens_of_pictures_whose_cameras_are_looked_for(intrinsics, words):
    model = ViewDenoiser(ViewDenoiserConfig(lifted=SMALL, widths=(16, 32)))
    with pytest.raises(ValueError) as caught:
        search_poses(model, torch.zeros(2, 3, 16, 16), intrinsics)
    assert words in str(caught.value)


@pytest.mark.parametrize("shape", [(0, 3, 16, 16), (2, 3, 16, 8), (3, 16, 16)])
def test_pictures_whose_cameras_are_looked_for(shape):
    model = ViewDenoiser(ViewDenoiserConfig(lifted=SMALL, widths=(16, 32)))
    with pytest.raises(ValueError) as caught:
        search_poses(model, torch.zeros(shape), CAMERA.intrinsics)
    assert f"expected at least one image, (n, 3, 16, 16), got {shape}" in str(caught.value)


def test_folders_of_objects(tmp_path):
    recipe = ViewsToybox(data=str(tmp_path))
    with pytest.raises(FileNotFoundError) as caught:
        recipe.make_dataset()
    assert f"expected a folder of objects at {tmp_path / 'validation'}; there is none" in str(caught.value)
    write_object(tmp_path / "train" / "chair", views=3)
    (tmp_path / "validation").mkdir()
    with pytest.raises(FileNotFoundError) as caught:
        recipe.make_dataset()
    assert "expected folders with a transforms.json in" in str(caught.value)  # in validation, which is looked at first
    write_object(tmp_path / "validation" / "chair", views=8)
    with pytest.raises(ValueError) as caught:
        recipe.make_dataset()
    assert "expected at least 8 views of each object, got 3 in" in str(caught.value)
    write_object(tmp_path / "train" / "sofa", views=8, distance=0.5)
    shutil.rmtree(tmp_path / "train" / "chair")
    with pytest.raises(ValueError) as caught:
        recipe.make_dataset()
    assert "sofa: expected cameras outside the object, whose box reaches 1.05" in str(caught.value)
    write_object(tmp_path / "train" / "lamp", views=8, color=(90, 30, 30), mode="RGB")
    shutil.rmtree(tmp_path / "train" / "sofa")
    with pytest.raises(ValueError) as caught:
        recipe.make_dataset()
    assert "0.png: expected transparent pixels or a white background, got an opaque picture" in str(caught.value)


def write_object(folder, views, *, distance=2.9, color=(0, 0, 0, 0), mode="RGBA"):
    """An object's folder with a transforms.json."""
    folder.mkdir(parents=True)
    frames = []
    for number in range(views):
        camera = orbit(2 * math.pi * number / views, 0.3, distance)
        pose = camera.camera_to_world @ torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64))
        Image.new(mode, (8, 8), color).save(folder / f"{number}.png")
        frames.append({"file_path": f"{number}.png", "transform_matrix": pose.tolist()})
    (folder / "transforms.json").write_text(json.dumps({"camera_angle_x": 0.7, "frames": frames}))
