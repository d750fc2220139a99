"""Samplers: noise levels, solvers, one denoising step, the rolling rollout."""
