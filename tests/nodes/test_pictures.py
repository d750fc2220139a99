"""Pictures and masks at our nodes' inputs: of any number of channels, and batches where one is wanted."""

import pytest
import torch


@pytest.fixture(scope="module")
def pictures(pack):
    return pack("nodes._pictures")


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_grey_is_repeated_and_transparency_left_out_and_said(pictures, channels):
    said = []
    image = torch.rand(2, 4, 6, channels)
    made = pictures.pictures_in(image, "image", said.append)
    colours = image[..., [0, 0, 0]] if channels < 3 else image[..., :3]
    assert torch.equal(made, colours)
    assert said == (["image: its transparency is left out"] if channels in (2, 4) else [])


def test_of_a_batch_the_first_is_taken_and_said(pictures):
    said = []
    image = torch.rand(3, 4, 6, 3)
    assert torch.equal(pictures.picture_in(image, "start_image", said.append), image[:1])
    mask = torch.rand(5, 4, 6)
    assert pictures.mask_in(mask, "mask", said.append).shape == (4, 6)
    assert said == ["start_image: of 3 pictures the first is taken", "mask: of 5 masks the first is taken"]
    assert pictures.picture_in(image[0], "start_image", said.append).shape == (1, 4, 6, 3) and len(said) == 2
    assert pictures.place_in(None, "mask", said.append) is None
    assert pictures.place_in([{"x": 1}], "mask", said.append) == [{"x": 1}]


@pytest.mark.parametrize("shape", [(4, 6), (0, 4, 6, 3), (1, 4, 6, 5), (1, 4, 6, 0)])
def test_what_is_no_picture_is_refused_in_words(pictures, shape):
    with pytest.raises(ValueError, match="image: expected"):
        pictures.pictures_in(torch.zeros(shape), "image", print)


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_the_vae_encodes_pictures_of_any_channels(pack, channels):
    types = pack("nodes._types")
    networks = pack("motionstream_core.model.weights.networks").untrained_networks("tiny")
    vae = types.StreamVAE(networks.codec, "patcher", lambda patcher: None, torch.device("cpu"))
    image = torch.rand(1, 32, 48, channels)
    colours = image[..., [0, 0, 0]] if channels < 3 else image[..., :3]
    assert torch.equal(vae.encode(image), vae.encode(colours))
