"""Examples are copied whole or not at all, and only plain files are offered."""

import os

import pytest


@pytest.fixture(scope="module")
def folders(pack):
    return pack("nodes._folders")


def test_a_copy_that_was_cut_off_is_told_from_somebody_s_own_file(folders, tmp_path):
    example, there = tmp_path / "a.png", tmp_path / "b.png"
    example.write_bytes(b"picture" * 100)
    assert not folders.is_copy(there, example)
    for data, kept in ((b"picture", False), (b"", False), (b"picture" * 100, True), (b"mine", True)):
        there.write_bytes(data)
        assert folders.is_copy(there, example) == kept
    there.unlink()
    there.mkdir()
    assert folders.is_copy(there, example)


def test_a_copy_is_whole_or_not_there(folders, tmp_path, monkeypatch):
    example, there = tmp_path / "a.png", tmp_path / "b.png"
    example.write_bytes(b"picture")
    folders.copy_whole(example, there)
    assert there.read_bytes() == b"picture"
    there.unlink()

    def full(source, target):
        target.write_bytes(b"pi")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folders.shutil, "copyfile", full)
    with pytest.raises(OSError):
        folders.copy_whole(example, there)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png"]


def test_links_pipes_and_hidden_files_are_not_offered(folders, tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("b.npz", "sub/a.npz", ".hidden.npz"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "link.npz").symlink_to("b.npz")
    (tmp_path / "loop").symlink_to(".")
    os.mkfifo(tmp_path / "pipe.npz")
    (tmp_path / "folder.npz").mkdir()
    assert folders.plain_files(str(tmp_path)) == ["b.npz", "sub/a.npz"]
    assert folders.plain_files(str(tmp_path / "gone")) == []
