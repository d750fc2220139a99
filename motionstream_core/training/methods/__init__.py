"""Training methods: teacher, causal initialisation, distillation, trajectories, detail head, codec."""
