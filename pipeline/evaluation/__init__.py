"""Figures about a trained model on labelled reviews, and the files that hold them.

Reading order: ``labelled_texts`` (the reviews and their classes; ``columns_read``, ``stored_texts``), ``slices``
(their groups; ``wording``), ``score_curves``, ``summary`` (figures of one set), ``held_out`` (what baselines learn
from) and ``baseline_entries``, ``scorer``, ``perturbations`` (``surface_changes``, ``shortening``, ``denial``,
``opposites``) and ``robustness``, ``predictions`` (``predictions.parquet``), ``provenance``, ``probed``, ``ledger``,
``finished_report`` (a report read back), ``report_folders``, ``previous_report``, ``regression_gate``,
``metrics_schema`` (``metrics.schema.json`` tells each key of ``metrics.json``), ``evaluate`` (the stage). Two models
on the same reviews: ``comparison``, ``comparison_entries``, ``compared_texts``, ``compare`` (the stage),
``compare_command``. The pages that show them are :mod:`pipeline.report`.
"""
