"""The live session: controls, tracks and camera that they change, performances. No networks."""
