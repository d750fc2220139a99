"""The start image moved along tracks: backward warp and forward warp (splatting)."""
