"""Batch scoring: tables of reviews in, the same rows with a prediction beside each out.

Read it in the order the rows flow:

1. ``inputs`` (which files, local or by URL, packed or not), ``rows``, ``table``; one reader for each format:
   ``csv_table``, ``json_lines_table``, ``parquet_table``
2. ``windows`` (rows that go through the network together), ``reading_notes``
3. ``score`` (the loop), ``summary``
4. ``outputs``, one writer for each format: ``csv_output``, ``json_lines_output``, ``parquet_output``; they grow in
   ``growing_file`` and are resumed from the ``journal``

Nothing here imports training code; a CSV file is scored without torch, spaCy and pyarrow.
"""
