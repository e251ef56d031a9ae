"""The page that shows an evaluation, and the files beside it.

Reading order: ``evaluated`` (what comes in), ``figures`` and ``pictures``, ``numbers``, ``mistakes``, ``page``
(``templates/``), ``write``.
"""
