"""The training loop: learners, optimisers, checkpoints, sharding, records."""
