"""Power cuts on a real file system: record what reaches the disk, and live on from any moment."""
