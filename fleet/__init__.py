"""Many boxes: samples and records go up, bundles come down."""
