"""The models learn: teaching from good parts (no torch), later training with labels."""
