"""Batch scoring: tables of reviews in, the same rows with a prediction beside each out.

Read it in the order the rows flow:

1. ``flags``, ``command``, ``options``
2. ``inputs``: which files (``locations``, ``urls``), packed or not (``compression``, ``input_bytes``), in which format
   (``formats``); several as one (``joined_table``)
3. ``rows``, ``table``; one reader for each format: ``csv_table``, ``json_lines_table`` (``json_object``),
   ``parquet_table`` (``arrow_text``)
4. ``windows`` (rows that go through the network together), ``reading_notes``
5. ``score`` (one run), ``loop`` (its rows), ``answers`` (what is appended), ``summary``
6. ``explanation`` (words that pushed the answer): ``integrated_gradients`` on the kernels, ``torch_gradients`` without,
   ``words_in_place``; ``quick_try``
7. ``outputs`` (care that every output takes), ``output_format``, ``sink``, ``sinks``; one writer for each format:
   ``csv_output``, ``json_lines_output`` (``text_sink``), ``parquet_output``; ``growing_file``, ``compressors``,
   ``journal``, ``disk``
8. ``cluster``: the same on many machines

Nothing here imports training code; a CSV file is scored without torch, spaCy and pyarrow.
"""
