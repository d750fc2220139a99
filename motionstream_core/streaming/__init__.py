"""Time: the flow schedule, the chunk-by-chunk rollout, streams of frames, the live session."""
