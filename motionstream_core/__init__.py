"""Track-guided causal video generation in pure PyTorch: tracks, model, streaming, codec, training,
evaluation.
"""
