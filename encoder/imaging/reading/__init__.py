"""From the bytes of a file to grey levels: formats, pages, resolution, and what a file may cost."""
