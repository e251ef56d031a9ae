"""Sentiment classification of reviews: corpus -> tokens -> vocabulary -> GRU -> report and scores.

Read the package in the order the data flows:

1. ``sources`` (``hub``, ``archive``, ``review_tables``), ``corpus``, ``duplicates``, ``audit``
2. ``tokens``
3. ``vocabulary``, ``vectors``, ``glove_download``
4. ``batches``, ``gru``, ``model``
5. ``training_data``, ``context_vectors``, ``trainer``, ``checkpoints``, ``train``, ``model_folder``
6. ``inference``, ``evaluate``, ``metrics``, ``baselines``, ``plots``, ``report``
7. ``tables``, ``score``, ``csv_output``

``cli`` holds one command for each stage; ``config``, ``artifacts``, ``console`` and ``errors`` serve them all.
"""

__version__ = "0.1.0"
