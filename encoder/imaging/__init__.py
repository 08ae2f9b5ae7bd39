"""From the bytes of an image to a canvas of ink."""
