from otter.test_files import test_case
OK_FORMAT = False
name = "q1"
points = None


@test_case(points=1, hidden=False)
def test_two_channels_four_patches(cut):
    import torch

    from minilib.grading.feedback import compare, run

    images = torch.arange(32.0).reshape(1, 2, 4, 4)
    slips = {
        "reshape alone reads along the lines and cuts no squares: split rows and columns, then swap axes.": [
            [
                [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0],
                [8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0],
                [16.0, 17.0, 18.0, 19.0, 20.0, 21.0, 22.0, 23.0],
                [24.0, 25.0, 26.0, 27.0, 28.0, 29.0, 30.0, 31.0],
            ]
        ],
        "Inside a patch the order is row, column, channel here; it must be channel, row, column.": [
            [
                [0.0, 16.0, 1.0, 17.0, 4.0, 20.0, 5.0, 21.0],
                [2.0, 18.0, 3.0, 19.0, 6.0, 22.0, 7.0, 23.0],
                [8.0, 24.0, 9.0, 25.0, 12.0, 28.0, 13.0, 29.0],
                [10.0, 26.0, 11.0, 27.0, 14.0, 30.0, 15.0, 31.0],
            ]
        ],
        "The patches are read column by column; read them line by line.": [
            [
                [0.0, 1.0, 4.0, 5.0, 16.0, 17.0, 20.0, 21.0],
                [8.0, 9.0, 12.0, 13.0, 24.0, 25.0, 28.0, 29.0],
                [2.0, 3.0, 6.0, 7.0, 18.0, 19.0, 22.0, 23.0],
                [10.0, 11.0, 14.0, 15.0, 26.0, 27.0, 30.0, 31.0],
            ]
        ],
        "Inside a patch rows and columns have changed places.": [
            [
                [0.0, 4.0, 1.0, 5.0, 16.0, 20.0, 17.0, 21.0],
                [2.0, 6.0, 3.0, 7.0, 18.0, 22.0, 19.0, 23.0],
                [8.0, 12.0, 9.0, 13.0, 24.0, 28.0, 25.0, 29.0],
                [10.0, 14.0, 11.0, 15.0, 26.0, 30.0, 27.0, 31.0],
            ]
        ],
    }
    shapes = {
        (1, 2, 4, 4): "There must be one axis for the patches and one for the numbers inside: flatten twice.",
        (1, 2, 2, 8): "Rows and columns of patches are one axis: flatten them.",
    }
    compare(
        run(cut, images, 2),
        [
            [
                [0.0, 1.0, 4.0, 5.0, 16.0, 17.0, 20.0, 21.0],
                [2.0, 3.0, 6.0, 7.0, 18.0, 19.0, 22.0, 23.0],
                [8.0, 9.0, 12.0, 13.0, 24.0, 25.0, 28.0, 29.0],
                [10.0, 11.0, 14.0, 15.0, 26.0, 27.0, 30.0, 31.0],
            ]
        ],
        what="cut(images, 2)",
        slips=slips,
        shapes=shapes,
    )
