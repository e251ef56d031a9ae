"""Sentiment classification of reviews: corpus -> tokens -> vocabulary -> GRU -> report and scores.

Read the package in the order the data flows:

1. ``sources`` (``hub``, ``archive``, ``review_tables``), ``corpus``, ``duplicates``, ``audit``
2. ``tokens``, ``chunk_tokenizer``, ``chunk_rules`` (``tokenizer_rules``, ``spacy_rules``), ``chunk_kernel``
3. ``vocabulary``, ``vectors``, ``glove_download``; ``word_fallbacks`` (``word_forms``, ``misspellings``,
   ``number_fallbacks``, ``emoji_words``)
4. ``batches``, ``padding``, ``gru``, ``model``; on compiled kernels: ``kernel_library`` (``kernels/``), ``time_major``,
   ``workspace``, ``packing``, ``compiled_embedding``, ``compiled_gru``, ``compiled_pooling``
   Pretraining: ``pretraining_data``, ``review_streams``, ``language_model``, ``sampled_softmax``,
   ``direction_networks``, ``pretraining_settings``, ``pretrainer``, ``perplexity``, ``pretraining_run``,
   ``pretrain``, ``encoder``; ``generate`` (``readable_text``)
5. ``training_data``, ``origins`` (``context_vectors``, ``taught_reviews``), ``training_networks``, ``adversarial``,
   ``seen_rows_adam``, ``moving_average``, ``step_gradients``, ``distributed`` (``process_group``), ``trainer``,
   ``checkpoints``, ``calibration``, ``train``, ``model_folder``; teachers: ``review_spans``, ``teacher_blend``,
   ``teacher``
6. ``scoring_precision``, ``folded``, ``torch_inference``, ``inference``, ``metrics``, ``baselines``, ``plots``,
   ``evaluation`` and ``report`` (packages of their own: figures, and the page that shows them); ``probes``;
   ``ladder`` (``ladder_runs``, ``ladder_costs``, ``ladder_linear``, ``ladder_speed``, ``ladder_peers``,
   ``ladder_rungs``, ``ladder_table``, ``ladder_plot``, ``ladder_labels``, ``ladder_section``, ``ladder_output``)
7. ``overlap``, ``scoring`` (a package of its own: tables in, tables out); ``bundle``
   (``compact_weights``, ``copy_comparison``)
8. as a library: ``text_input``, ``library`` (:func:`load_model`), ``classifier`` (:class:`SentimentClassifier`), both
   imported from here when they are first asked for

``cli`` holds one command for each stage; ``config``, ``artifacts``, ``lineage``, ``console`` and ``errors`` serve all.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.classifier import SentimentClassifier
    from pipeline.library import load_model

__all__ = ["SentimentClassifier", "__version__", "load_model"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import what the library offers when it is first asked for, so that the commands start at once.

    Raises:
        AttributeError: it offers nothing of that name.
    """
    if name == "load_model":
        from pipeline.library import load_model

        return load_model
    if name == "SentimentClassifier":
        from pipeline.classifier import SentimentClassifier

        return SentimentClassifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
