from otter.test_files import test_case
OK_FORMAT = False
name = "q5"
points = None


@test_case(points=1, hidden=False)
def test_two_paths(flow_pair):
    import torch

    from minilib.grading.feedback import compare, parts, run, unchanged

    x0 = torch.tensor([[[[1.0, -0.5]]], [[[0.25, 0.75]]]])
    noise = torch.tensor([[[[-1.0, 0.5]]], [[[2.0, -1.0]]]])
    x0_before, noise_before = x0.clone(), noise.clone()
    what = "flow_pair(x0, noise, u)"
    x_u, velocity = parts(run(flow_pair, x0, noise, torch.tensor([0.2, 0.75])), ("x_u", "velocity"), what=what)
    unchanged(x0_before, x0, what="x0")
    unchanged(noise_before, noise, what="noise")
    right = [[[[0.6, -0.3]]], [[[1.5625, -0.5625]]]]
    slips = {
        "x_u and velocity have changed places: return (x_u, velocity).": [[[[-2.0, 1.0]]], [[[1.75, -1.75]]]],
        "Time runs the wrong way: u = 0 is the image, u = 1 is noise.": [[[[-0.6, 0.3]]], [[[0.6875, 0.3125]]]],
        "u was lined up with the columns of the images: it needs the shape (b, 1, 1, 1).": [
            [[[0.6, 0.25]]],
            [[[0.6, -0.5625]]],
        ],
        "All images were moved to the time of the first one.": [[[[0.6, -0.3]]], [[[0.6, 0.4]]]],
        "The path is straight: its factors are 1 − u and u themselves, without roots.": [
            [[[0.447214, -0.223607]]],
            [[[1.857051, -0.491025]]],
        ],
        "The image keeps its full weight; its factor is 1 − u.": [[[[0.8, -0.4]]], [[[1.75, 0.0]]]],
    }
    compare(x_u, right, what=f"x_u of {what}", slips=slips)
    right = [[[[-2.0, 1.0]]], [[[1.75, -1.75]]]]
    slips = {
        "The sign is the other way round: as u grows, x_u moves away from the image.": [
            [[[2.0, -1.0]]],
            [[[-1.75, 1.75]]],
        ],
        "This is the noise; the path also leaves the image behind, which the derivative of 1 − u says.": [
            [[[-1.0, 0.5]]],
            [[[2.0, -1.0]]],
        ],
        "This is x_u itself; the velocity is its derivative with respect to u.": [
            [[[0.6, -0.3]]],
            [[[1.5625, -0.5625]]],
        ],
        "This is the way from the image to x_u; divide it by the time that it took, u.": [
            [[[-0.4, 0.2]]],
            [[[1.3125, -1.3125]]],
        ],
        "This is the way that is left from x_u to the noise; on a straight path the velocity stays the same.": [
            [[[-1.6, 0.8]]],
            [[[0.4375, -0.4375]]],
        ],
        "The noise and the image are to be subtracted, not added.": [[[[0.0, 0.0]]], [[[2.25, -0.25]]]],
    }
    compare(velocity, right, what=f"velocity of {what}", slips=slips)


@test_case(points=1, hidden=False)
def test_euler_step(flow_euler_step):
    import torch

    from minilib.grading.feedback import compare, follows_device, run, unchanged

    x = torch.tensor([[[[1.0, -0.5]]], [[[0.25, 0.75]]]])
    velocity = torch.tensor([[[[-1.0, 0.5]]], [[[2.0, -1.0]]]])
    x_before, velocity_before = x.clone(), velocity.clone()
    got = run(flow_euler_step, x, velocity, 0.8, 0.5)
    unchanged(x_before, x, what="x")
    unchanged(velocity_before, velocity, what="velocity")
    right = [[[[1.3, -0.65]]], [[[-0.35, 1.05]]]]
    slips = {
        "The step goes the wrong way: its length is u_next − u, which is negative.": [
            [[[0.7, -0.35]]],
            [[[0.85, 0.45]]],
        ],
        "The whole velocity was added: it has to be multiplied by u_next − u.": [[[[0.0, 0.0]]], [[[2.25, -0.25]]]],
        "This goes all the way to the image; stop at u_next.": [[[[1.8, -0.9]]], [[[-1.35, 1.55]]]],
        "The length of the step is u_next − u, not u_next.": [[[[0.5, -0.25]]], [[[1.25, 0.25]]]],
        "The length of the step is u_next − u, not −u_next.": [[[[1.5, -0.75]]], [[[-0.75, 1.25]]]],
        "This is the step alone; it has to be added to x.": [[[[0.3, -0.15]]], [[[-0.6, 0.3]]]],
    }
    compare(got, right, what="flow_euler_step from 0.8 to 0.5", slips=slips)
    got = run(flow_euler_step, x.double(), velocity.double(), 0.8, 0.5)
    compare(got, torch.tensor(right).double(), what="flow_euler_step for images in float64")
    follows_device(flow_euler_step, x, velocity, 0.8, 0.5, what="flow_euler_step")


@test_case(points=1, hidden=False)
def test_dtype_device(flow_pair):
    import torch

    from minilib.grading.feedback import compare, follows_device, parts, run

    x0, noise = torch.zeros(3, 2, 4, 5), torch.ones(3, 2, 4, 5)
    u = torch.tensor([1.0, 0.0, 0.3], dtype=torch.float64)
    hints = {"must match the size": "u was lined up with the columns of the images: it needs the shape (b, 1, 1, 1)."}
    right = torch.tensor([1.0, 0.0, 0.3]).reshape(3, 1, 1, 1).expand(3, 2, 4, 5)
    what = "flow_pair for images in float32 and times in float64"
    x_u, velocity = parts(run(flow_pair, x0, noise, u, hints=hints), ("x_u", "velocity"), what=what)
    compare(x_u, right, what=f"x_u of {what}")
    compare(velocity, noise, what=f"velocity of {what}")
    what = "flow_pair for images in float64 and times in float32"
    got = run(flow_pair, x0.double(), noise.double(), u.float())
    x_u, velocity = parts(got, ("x_u", "velocity"), what=what)
    compare(x_u, right.double(), what=f"x_u of {what}")
    compare(velocity, noise.double(), what=f"velocity of {what}")
    follows_device(flow_pair, x0, noise, u, what="flow_pair")
