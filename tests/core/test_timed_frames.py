"""Pictures of a video by their time stamps."""

import struct
from fractions import Fraction

import numpy as np
import pytest

av = pytest.importorskip("av")

from motionstream_core.codec.timed_frames import expected_frames, timed_frames, timed_images  # noqa: E402


def write(path, moments_ms, width=64, height=48):
    """A video whose frames are shown at these moments; frame n is of brightness 8·n."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=30, options={"crf": "10", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, moment in enumerate(moments_ms):
            frame = av.VideoFrame.from_ndarray(
                np.full((height, width, 3), min(8 * number, 248), np.uint8), format="rgb24"
            )
            frame.pts, frame.time_base = moment, Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def encoded(path, pictures, codec, pixels, options=None):
    """Pictures (H, W, 3) in a file of this codec and pixel format, half transparent where it can be; what a
    player needs first lies first.
    """
    with av.open(str(path), "w", options={"movflags": "+faststart"} if path.suffix == ".mp4" else {}) as file:
        stream = file.add_stream(codec, rate=25, options=options or {})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixels
        for number, picture in enumerate(pictures):
            veil = np.full((*picture.shape[:2], 1), 128, np.uint8)
            frame = av.VideoFrame.from_ndarray(np.concatenate([picture, veil], -1), format="rgba")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def test_frames_of_a_variable_rate_come_at_their_moments(tmp_path):
    moments = [0, 20, 40, 200, 210, 500, 900]
    found = list(timed_frames(write(tmp_path / "v.mp4", moments)))
    assert [round(1000 * moment) for _, moment in found] == moments
    assert found[0][0].shape == (48, 64, 3) and abs(int(found[5][0].mean()) - 40) < 6


TURNS = {
    90: (0, 1, -1, 0),
    180: (-1, 0, 0, -1),
    270: (0, -1, 1, 0),
}  # clockwise degrees: the matrix as phones write it


@pytest.mark.parametrize("degrees", TURNS)
def test_a_phone_video_that_says_how_it_was_held_comes_upright(tmp_path, degrees):
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:16, :16] = 250
    path = encoded(tmp_path / "v.mp4", [picture] * 3, "libx264", "yuv420p")
    turned = bytearray(path.read_bytes())
    a, b, c, d = (65536 * part for part in TURNS[degrees])
    struct.pack_into(">9i", turned, turned.find(b"tkhd") + 44, a, b, 0, c, d, 0, 0, 0, 2**30)
    path.write_bytes(turned)
    upright = np.rot90(picture, -degrees // 90)
    found = list(timed_frames(path))
    assert len(found) == 3 and all(
        shot.shape == upright.shape and np.abs(shot.astype(int) - upright).mean() < 6 for shot, _ in found
    )


KINDS = {
    "10 bits": ("v.mkv", "libx265", "yuv420p10le", {"x265-params": "log-level=none"}),
    "grey": ("v.mkv", "ffv1", "gray", {}),
    "grey of 10 bits": ("v.mkv", "ffv1", "gray10le", {}),
    "RGB of 16 bits": ("v.mkv", "ffv1", "gbrp16le", {}),
    "full range": ("v.mp4", "libx264", "yuvj420p", {}),
    "ProRes": ("v.mov", "prores_ks", "yuv422p10le", {}),
    "transparent VP9": ("v.webm", "libvpx-vp9", "yuva420p", {"cpu-used": "8"}),
    "transparent QuickTime": ("v.mov", "qtrle", "argb", {}),
    "an animated GIF": ("v.gif", "gif", "rgb8", {}),
    "an odd size": ("v.mkv", "ffv1", "yuv420p", {}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_picture_comes_as_bytes_of_colour(tmp_path, kind):
    name, codec, pixels, options = KINDS[kind]
    if codec not in av.codecs_available:
        pytest.skip(f"this ffmpeg has no {codec}")
    height, width = (47, 61) if kind == "an odd size" else (48, 64)
    grey = np.broadcast_to(np.linspace(16, 240, width)[None, :, None], (height, width, 3))
    picture = np.rint(grey).astype(np.uint8)
    slack = 24 if codec == "gif" else 8  # which has 256 colours for everything
    found = list(timed_frames(encoded(tmp_path / name, [picture] * 5, codec, pixels, options)))
    assert len(found) == 5 and np.diff([moment for _, moment in found]).min() > 0
    assert all(
        shot.shape == (height, width, 3)
        and shot.dtype == np.uint8
        and np.abs(shot.astype(int) - picture).mean() < slack
        for shot, _ in found
    )


def test_a_file_that_breaks_off_is_read_as_far_as_it_goes(tmp_path):
    rng = np.random.default_rng(0)
    path = encoded(
        tmp_path / "v.mp4",
        [rng.integers(0, 255, (48, 64, 3), dtype=np.uint8) for _ in range(20)],
        "libx264",
        "yuv420p",
        {"bf": "0"},
    )
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert 3 < len(list(timed_frames(path))) < 17 and expected_frames(path) == 20
    hole = bytearray(whole)
    hole[len(whole) // 3 : len(whole) // 2] = bytes(len(whole) // 2 - len(whole) // 3)
    path.write_bytes(hole)
    try:
        seen = len(list(timed_frames(path)))
    except ValueError as error:  # by the version of FFmpeg: told, or covered up by its decoder
        assert "video: expected a file that can be decoded" in str(error) and "after" in str(error)
    else:
        assert seen >= 19
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="video: expected a file that can be decoded"):
        list(timed_frames(path))


def test_a_part_of_a_file_and_a_number_of_frames_are_kept_to(tmp_path):
    path = write(tmp_path / "v.mp4", range(0, 1000, 100))
    assert [round(moment, 3) for _, moment in timed_frames(path, begin=0.3, lasting=0.3)] == [0.3, 0.4, 0.5]
    assert len(list(timed_frames(path, most=4))) == 4
    assert expected_frames(path) == 10


def test_what_is_no_video_is_refused(tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(write(tmp_path / "v.mp4", range(0, 400, 40)).read_bytes()[:600])
    (tmp_path / "text.mp4").write_text("not a video" * 200)
    for path in (broken, tmp_path / "text.mp4"):
        with pytest.raises(ValueError, match="video: expected a file that can be decoded"):
            list(timed_frames(path))
        assert expected_frames(path) is None
    with av.open(str(tmp_path / "sound.wav"), "w") as file:
        stream = file.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.rate = 8000
        file.mux(stream.encode(sound))
    with pytest.raises(ValueError, match="picture track"):
        list(timed_frames(tmp_path / "sound.wav"))
    with pytest.raises(ValueError, match="at least one frame"):
        list(timed_frames(tmp_path / "v.mp4", begin=100.0))


def test_images_come_at_one_rate_as_bytes():
    found = list(timed_images(iter([np.full((4, 6, 4), 0.5, np.float32)] * 3), 8.0))
    assert (
        [moment for _, moment in found] == [0, 0.125, 0.25]
        and found[0][0].shape == (4, 6, 3)
        and found[0][0][0, 0, 0] == 128
    )
