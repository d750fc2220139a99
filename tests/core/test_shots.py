"""Pictures of a video by their time stamps."""

from fractions import Fraction

import numpy as np
import pytest

av = pytest.importorskip("av")

from motionstream_core.codec.shots import expected_frames, image_shots, video_shots  # noqa: E402


def write(path, moments_ms, width=64, height=48):
    """A video whose frames are shown at these moments; frame n is of brightness 8·n."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=30, options={"crf": "10", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, moment in enumerate(moments_ms):
            frame = av.VideoFrame.from_ndarray(np.full((height, width, 3), min(8 * number, 248), np.uint8), format="rgb24")
            frame.pts, frame.time_base = moment, Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def test_frames_of_a_variable_rate_come_at_their_moments(tmp_path):
    moments = [0, 20, 40, 200, 210, 500, 900]
    shots = list(video_shots(write(tmp_path / "v.mp4", moments)))
    assert [round(1000 * moment) for _, moment in shots] == moments
    assert shots[0][0].shape == (48, 64, 3) and abs(int(shots[5][0].mean()) - 40) < 6


def test_a_part_of_a_file_and_a_number_of_frames_are_kept_to(tmp_path):
    path = write(tmp_path / "v.mp4", range(0, 1000, 100))
    assert [round(moment, 3) for _, moment in video_shots(path, begin=0.3, lasting=0.3)] == [0.3, 0.4, 0.5]
    assert len(list(video_shots(path, most=4))) == 4
    assert expected_frames(path) == 10


def test_what_is_no_video_is_refused(tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(write(tmp_path / "v.mp4", range(0, 400, 40)).read_bytes()[:600])
    (tmp_path / "text.mp4").write_text("not a video" * 200)
    for path in (broken, tmp_path / "text.mp4"):
        with pytest.raises(ValueError, match="video: expected a file that can be decoded"):
            list(video_shots(path))
        assert expected_frames(path) is None
    with av.open(str(tmp_path / "sound.wav"), "w") as file:
        stream = file.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.rate = 8000
        file.mux(stream.encode(sound))
    with pytest.raises(ValueError, match="picture track"):
        list(video_shots(tmp_path / "sound.wav"))
    with pytest.raises(ValueError, match="at least one frame"):
        list(video_shots(tmp_path / "v.mp4", begin=100.0))


def test_images_come_at_one_rate_as_bytes():
    shots = list(image_shots(iter([np.full((4, 6, 4), 0.5, np.float32)] * 3), 8.0))
    assert [moment for _, moment in shots] == [0, 0.125, 0.25] and shots[0][0].shape == (4, 6, 3) and shots[0][0][0, 0, 0] == 128
