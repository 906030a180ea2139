"""Supervised training, the only folder that imports torch: from labelled pictures to a bundle (`okng train`)."""
