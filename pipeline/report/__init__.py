"""The page that shows an evaluation, and the files beside it.

Reading order: ``evaluated`` (what comes in), ``figures`` and ``pictures``, ``numbers``, ``readable_text`` and
``mistakes``, ``chosen_reviews`` and ``error_browser``, ``threshold_effects`` and ``score_lookup``, ``data_card`` and
``model_card``, ``verdict`` and ``robustness_verdict`` (what the page says in words), ``templates_of_pages``, ``page``
(``templates/``), ``write``; two models: ``comparison_figures``, ``comparison_page``.
"""
