"""The fleet service: many boxes report here, and find here what was signed for them."""
