"""Fits the numbers in a decision rule: thresholds, likelihood ratios, compensations."""
