"""Training data: synthetic world, folders of videos, shards, augmentation."""
