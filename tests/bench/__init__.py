"""The benchmark: this project beside its peers, in one run on one machine (``make bench``).

``command`` reads the flags and runs the sections, each a module: ``training``, ``gemm_floor``, ``tokenising``,
``scoring``, ``growth``, ``agreement``, ``explanations``. ``results`` holds what they measured, ``report`` writes it.
``linear_scorer``, ``csv_floor`` and ``distilbert`` are programs of their own, which the sections run as a user would.
"""
