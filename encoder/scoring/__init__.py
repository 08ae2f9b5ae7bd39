"""From templates to a comparison score, a likelihood ratio and a verdict."""
