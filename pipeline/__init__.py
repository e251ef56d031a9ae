"""Sentiment classification of reviews: corpus -> tokens -> vocabulary -> GRU -> report and scores.

Read the package in the order the data flows:

1. ``sources`` (``hub``, ``archive``, ``review_tables``), ``corpus``, ``duplicates``, ``audit``
2. ``tokens``, ``chunk_tokenizer``, ``chunk_rules`` (``tokenizer_rules``, ``spacy_rules``), ``chunk_kernel``
3. ``vocabulary``, ``vectors``, ``glove_download``
4. ``batches``, ``padding``, ``gru``, ``model``; on compiled kernels: ``kernel_library`` (``kernels/``), ``time_major``,
   ``workspace``, ``packing``, ``compiled_embedding``, ``compiled_gru``, ``compiled_pooling``
5. ``training_data``, ``context_vectors``, ``training_networks``, ``seen_rows_adam``, ``moving_average``, ``trainer``,
   ``checkpoints``, ``train``, ``model_folder``
6. ``scoring_precision``, ``folded``, ``torch_inference``, ``inference``, ``evaluate``, ``metrics``, ``baselines``,
   ``plots``, ``report``
7. ``tables``, ``overlap``, ``score`` (``score_windows``, ``score_summary``), ``csv_output``

``cli`` holds one command for each stage; ``config``, ``artifacts``, ``console`` and ``errors`` serve them all.
"""

__version__ = "0.1.0"
