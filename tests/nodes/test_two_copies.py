"""The pack's door: one copy in a host is the pack, another one says so and stays out."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOAD = """
import importlib.util, json, sys
found = []
for folder in sys.argv[1:]:  # as the host loads custom nodes
    name = folder.replace(".", "_x_")
    spec = importlib.util.spec_from_file_location(name, folder + "/__init__.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found.append([hasattr(module, "comfy_entrypoint"), getattr(module, "WEB_DIRECTORY", None)])
print(json.dumps(found))
"""


def loaded(tmp_path, *folders: Path) -> tuple[list, str]:
    (tmp_path / "comfy_api").mkdir()
    (tmp_path / "comfy_api" / "__init__.py").touch()
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *map(str, folders)],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def test_of_two_copies_the_second_stays_out_and_says_which_is_used(tmp_path):
    first, second = tmp_path / "ComfyUI-MotionStream", tmp_path / "motionstream-old"
    for folder in (first, second):
        folder.symlink_to(ROOT, target_is_directory=True)
    found, said = loaded(tmp_path, first, second)
    assert found == [[True, "./js"], [False, None]]
    assert f"{first} is used, {second} is left out. Remove one of them" in said


def test_the_same_copy_loaded_again_is_no_second_one(tmp_path):
    found, said = loaded(tmp_path, ROOT, ROOT)
    assert found == [[True, "./js"]] * 2 and said == ""


def test_a_folder_that_the_hosts_server_cannot_serve_is_not_named_to_it(tmp_path):
    """aiohttp answers 404 for static folders whose names are quoted in addresses; the pack then registers its
    browser part under another name.
    """
    for name, web in (
        ("ComfyUI-MotionStream-main (1)", None),
        ("Möwe", None),
        ("MotionStream#2", None),
        ("ComfyUI-MotionStream_v1.2(1)", "./js"),
    ):
        place = tmp_path / f"in {name}"
        place.mkdir()
        (place / name).symlink_to(ROOT, target_is_directory=True)
        found, said = loaded(place, place / name)
        assert found == [[True, web]] and said == "", name
