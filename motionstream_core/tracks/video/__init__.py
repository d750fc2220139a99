"""Point trackers and motion lifted out of videos."""
