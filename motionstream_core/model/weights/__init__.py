"""Weights files: bundles, conversion of public checkpoints, LoRA, checkpoint presets."""
