"""What `evaluate` measured, for people: a page with plots, and a model's card.

Everything shown is in the JSON of `countersign evaluate`; nothing is measured here.
"""

from encoder.report.card import model_card
from encoder.report.page import html_report

__all__ = ["html_report", "model_card"]
