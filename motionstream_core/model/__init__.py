"""The network: motion encoder and track head, causal DiT, rope, attention, rolling KV cache, presets,
checkpoints.
"""
