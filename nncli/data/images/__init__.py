"""Pictures in class folders or a zip, and the decoding of pictures."""
