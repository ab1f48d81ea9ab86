"""The compose file in real containers, without Docker and without a registry of images."""
