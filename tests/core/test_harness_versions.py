"""What `python -m harness.versions` takes from another host's requirements, and the environment it makes of
them.
"""

import subprocess
from pathlib import Path

import pytest
from harness import install, versions

REQUIREMENTS = """comfyui-frontend-package==1.45.20
comfyui-workflow-templates==0.11.6
torch
numpy>=1.25.0
comfy_kitchen == 0.2.18  # kernels
pydantic~=2.0
"""


def test_the_exact_versions_of_a_host_count_but_for_what_the_tests_do_not_show():
    assert versions.pins(REQUIREMENTS) == {"comfyui-frontend-package": "1.45.20", "comfy-kitchen": "0.2.18"}
    assert versions.pins(REQUIREMENTS, "1.58.1") == {
        "comfyui-frontend-package": "1.58.1",
        "comfy-kitchen": "0.2.18",
    }


def test_an_environment_has_its_own_version_first_and_all_else_of_the_one_behind_it(monkeypatch, tmp_path):
    def pip(*words):
        assert words[-1] == "einops==0.0.1"
        folder = Path(words[words.index("--target") + 1])
        (folder / "einops.py").write_text("__version__ = '0.0.1'\n")

    monkeypatch.setattr(install, "CACHE", tmp_path)
    monkeypatch.setattr(install, "pip", pip)
    python = versions.environment({"einops": "0.0.1"})
    done = subprocess.run(
        [python, "-c", "import einops, numpy; print(einops.__version__, numpy.__version__)"],
        capture_output=True,
        text=True,
        check=True,
    )
    mine, behind = done.stdout.split()
    assert mine == "0.0.1" and behind == versions.installed("numpy")
    assert versions.environment({"einops": "0.0.1"}) == python and versions.environment({}) == install.PYTHON


def test_what_is_neither_a_known_version_nor_a_folder_of_a_host_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        versions.main([str(tmp_path)])
    assert "expected one of 0.27.0, 0.30.0 or a folder with main.py, got" in capsys.readouterr().err
