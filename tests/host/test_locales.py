"""The pack's words in other languages, held against the nodes as the host knows them."""

import json

import pytest
from harness.host import PACK
from harness.install import ROOT
from harness.workflow import inputs_of

LANGUAGES = ["ja", "zh"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_node_and_every_input_of_it_has_a_name_and_a_tooltip(host, language):
    words = json.loads((ROOT / "locales" / language / "nodeDefs.json").read_text())
    ours = {name: info for name, info in host.object_info().items() if info["python_module"].endswith(PACK)}
    assert words.keys() == ours.keys() and len(ours) >= 17
    for name, info in ours.items():
        inputs = {key for key, _ in inputs_of(info)}
        assert words[name]["inputs"].keys() == inputs, name
        texts = [
            words[name]["display_name"],
            words[name]["description"],
            *(text for entry in words[name]["inputs"].values() for text in (entry["name"], entry["tooltip"])),
        ]
        assert all(text.strip() for text in texts), name


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_host_serves_them(host, language):
    assert host.get_json("/i18n")[language]["nodeDefs"]["MotionStreamSampler"]["display_name"] not in (
        "",
        "Streaming Sampler",
    )
