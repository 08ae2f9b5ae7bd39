"""What the marks on a page are: a signature's strokes, print, ruled lines, stamps, other hands."""
