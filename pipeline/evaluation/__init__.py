"""Figures about a trained model on labelled reviews, and the files that hold them.

Reading order: ``labelled_texts`` (the reviews and their classes), ``slices`` (their groups), ``score_curves``,
``summary`` (figures of one set), ``predictions`` (``predictions.parquet``), ``ledger``, ``evaluate`` (the stage).
The page that shows them is :mod:`pipeline.report`.
"""
