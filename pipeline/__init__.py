"""Sentiment classification of reviews: corpus -> tokens -> vocabulary -> GRU -> report and scores.

Read the package in the order the data flows: ``sources``, ``corpus``, ``audit``, ``tokens``, ``vocabulary``,
``vectors``, ``batches``, ``gru``, ``model``, ``train``, ``inference``, ``evaluate``, ``report``, ``tables``,
``score``. ``cli`` holds one command for each stage.
"""

__version__ = "0.1.0"
