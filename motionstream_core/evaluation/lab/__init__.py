"""Laboratory: benches behind published figures. Nothing of the product imports it. It may be deleted.

`findings*` repeats the paper's ablations at the built-in model's scale. `tracking*` measures the default
point tracker against exact truth.
"""
