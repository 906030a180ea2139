"""The part is let through, or not: handshake, register map, the io process. No numpy, no cv2."""
