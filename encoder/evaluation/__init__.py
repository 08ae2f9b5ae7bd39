"""Trials in the sense of ISO/IEC 19795-1, and what they show."""
