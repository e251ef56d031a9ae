"""The facts of the page's model card, from the model's ``config.json``.

The page shows them under the headings of Mitchell et al. 2019, "Model Cards for Model Reporting" (arXiv:1810.03993).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Facts = dict[str, Any]

INTENDED_USE = [
    "Sorting many English reviews into positive and negative ones, and counting them.",
    "Finding the reviews that a person should read: the answers with low confidence.",
    "A baseline to hold other models against.",
]
OUT_OF_SCOPE = [
    "Other languages, and texts that are no reviews: news, chats, medical or legal texts.",
    "Decisions about a person, such as the one who wrote the text.",
    "More than two classes: it has no neutral, and a lukewarm text gets one of the two.",
]
CAVEATS = [
    "The probabilities are honest for texts like those that they were fitted on; elsewhere measure again.",
    "It reads words and their order, and knows nothing of the work that is reviewed. Irony may escape it.",
    "Film titles, names and dialects may push an answer. No group of writers was looked at separately.",
]
SAMPLE_CAVEAT = "Trained on generated sentences, to show the pipeline at work. It is no judge of real reviews."


def architecture(config: Mapping[str, Any]) -> Facts:
    """Return the figures of the network; unknown ones are None."""
    settings = (config.get("recipe") or {}).get("model") or {}
    encoder = (config.get("origins") or {}).get("encoder") or {}
    vectors = config.get("vectors") or {}
    return {
        "layers": settings.get("layers"),
        "directions": 1 + bool(settings.get("bidirectional")) if settings else None,
        "hidden_size": settings.get("hidden_size"),
        "pooling": list(settings.get("pooling") or []),
        "embedding_size": (encoder.get("settings") or {}).get("embedding_size") or vectors.get("dimension"),
        "parameters": config.get("parameters"),
        "bytes": config.get("bytes"),
    }


def training_facts(config: Mapping[str, Any]) -> Facts:
    """Return what the weights were fitted on, for how long and where; unknown ones are None."""
    training = config.get("training") or {}
    validation = config.get("validation") or {}
    machine = config.get("machine") or {}
    return {
        "corpus": (config.get("corpus") or {}).get("name"),
        "corpus_fingerprint": (config.get("corpus") or {}).get("fingerprint"),
        "labelled_reviews": training.get("labelled_reviews") or training.get("reviews"),
        "validation_reviews": validation.get("rows"),
        "validation_accuracy": validation.get("accuracy"),
        "epochs_run": training.get("epochs_run"),
        "best_epoch": training.get("best_epoch"),
        "minutes": None if training.get("seconds") is None else round(training["seconds"] / 60, 2),
        "threads": training.get("threads"),
        "device": training.get("device"),
        "precision": training.get("precision"),
        "processor": machine.get("processor"),
    }


def origin_facts(config: Mapping[str, Any]) -> Facts:
    """Return what the training began from beside labelled reviews: ``language_model`` and ``teachers``, or None."""
    origins = config.get("origins") or {}
    encoder, teacher = origins.get("encoder"), origins.get("teacher")
    return {
        "language_model": encoder
        and {
            "name": encoder.get("name"),
            "reviews": encoder.get("reviews"),
            "tokens": encoder.get("tokens"),
            "minutes": None if encoder.get("seconds") is None else round(encoder["seconds"] / 60, 2),
        },
        "teachers": teacher
        and {
            "names": list(teacher.get("teachers") or []),
            "reviews": teacher.get("reviews"),
            "pieces": teacher.get("pieces"),
        },
    }


def training_commands(config: Mapping[str, Any]) -> list[str]:
    """Return the commands that train the model from the corpus, with recipe and seed; empty where they are unknown."""
    recipe = (config.get("recipe") or {}).get("name")
    if recipe is None:
        return []
    vectors, origins = config.get("vectors") or {}, config.get("origins") or {}
    commands = ["sentiment tokens", f"sentiment vocab --vectors {vectors.get('name', 'VECTORS')}"]
    if origins.get("encoder"):
        name = origins["encoder"].get("name", "default")
        commands.append("sentiment pretrain" + ("" if name == "default" else f" --name {name}"))
    if origins.get("teacher"):
        names = origins["teacher"].get("teachers") or []
        models = " ".join(name for name in names if name != "NB-SVM")
        commands.append(f"sentiment teach {models}{' --nb-svm' if 'NB-SVM' in names else ''}")
    return [*commands, f"sentiment train --recipe {recipe} --seed {config.get('seed')}"]


def model_card(config: Mapping[str, Any]) -> Facts:
    """Return the ``model_card`` entry of ``metrics.json``; what the configuration lacks is None.

    Args:
        config: ``config.json`` of the model.
    """
    recipe = config.get("recipe") or {}
    bundle = config.get("bundle")
    sample = bool((config.get("corpus") or {}).get("sample"))
    return {
        "recipe": recipe.get("name"),
        "description": " ".join(str(recipe.get("description") or "").split()),
        "seed": config.get("seed"),
        "architecture": architecture(config),
        "training": training_facts(config),
        "origins": origin_facts(config),
        "vectors": (config.get("vectors") or {}).get("name"),
        "coverage": config.get("coverage"),
        "compact_copy_of": bundle and bundle["source"].get("name"),
        "intended_use": INTENDED_USE,
        "out_of_scope": OUT_OF_SCOPE,
        "caveats": [SAMPLE_CAVEAT, *CAVEATS] if sample else CAVEATS,
        "commands": training_commands(config),
    }
