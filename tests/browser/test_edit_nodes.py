"""Edit Tracks as a person uses it in the browser: an operation is chosen, its own inputs come up, and what is
queued names them.
"""

import pytest
from harness.host import ended_as

ADD = """
() => {
  const graph = window.app.graph, made = {};
  const nodes = [
    ["line", "GenerateTracks", 0],
    ["edit", "MotionStreamEditTracks", 400],
    ["save", "MotionStreamSaveTracks", 800],
  ];
  for (const [name, type, at] of nodes) {
    const node = window.LiteGraph.createNode(type);
    node.pos = [at, 0];
    graph.add(node);
    made[name] = node;
  }
  made.line.connect(0, made.edit, 0);
  made.edit.connect(0, made.save, 0);
  const set = (node, name, value) => {
    const widget = node.widgets.find((w) => w.name === name);
    widget.value = value;
    widget.callback?.(value);
  };
  set(made.save, "width", 832);
  set(made.save, "height", 480);
  window.editNode = made.edit;
}"""
CHOOSE = """
(operation) => {
  const widget = window.editNode.widgets.find((w) => w.name === "operation");
  widget.value = operation;
  widget.callback?.(operation);
}"""
SHOWN = "() => [...window.editNode.widgets.map((w) => w.name), ...window.editNode.inputs.map((i) => i.name)]"
OWN = {
    "retime": "operation.curve",
    "smooth": "operation.smooth_frames",
    "thin out": "operation.count",
    "snap to object": "operation.image",
    "select in mask": "operation.mask",
}


@pytest.mark.parametrize("vue", [False, True], ids=["classic", "Nodes 2.0"])
def test_each_operation_shows_its_own_inputs_and_runs(host, tab, vue):
    tab.open()
    tab.use_vue_nodes(vue)
    tab.load(
        {
            "nodes": [],
            "links": [],
            "version": 0.4,
            "last_node_id": 0,
            "last_link_id": 0,
            "groups": [],
            "config": {},
            "extra": {},
        }
    )
    tab.page.evaluate(ADD)
    for operation, own in OWN.items():
        tab.page.evaluate(CHOOSE, operation)
        shown = tab.page.evaluate(SHOWN)
        assert own in shown, f"{operation}: {shown}"
        assert not any(other in shown for name, other in OWN.items() if name != operation), (
            f"{operation}: {shown}"
        )
    tab.page.evaluate(CHOOSE, "thin out")
    (edit,) = [node for node in tab.to_api().values() if node["class_type"] == "MotionStreamEditTracks"]
    assert edit["inputs"]["operation"] == "thin out" and edit["inputs"]["operation.count"] == 100
    assert ended_as(host.wait(tab.queue())) == "success"
