"""Generates signatures of people who never were, so that no real one is needed for show or test."""

from encoder.synthesis.writer import SyntheticWriter, encode_png, synthetic_writer

__all__ = ["SyntheticWriter", "encode_png", "synthetic_writer"]
