"""Every statement of a review denied: "is good" becomes "is not good", and "wasn't" becomes "was".

Where that turns the verdict another answer is wanted. How often it does was not counted: a review may tell its verdict
in words that no rule reaches (irony, a rating, a title), and the denial of a side remark turns nothing.

It goes clause by clause, with rules of our own. A clause is what stands between punctuation, HTML tags and
conjunctions. One that is denied loses its denial ("wasn't" becomes "was", "never" goes); of one that is not, the first
auxiliary or copula is denied. Left alone are questions ("is it good"), "not only", and clauses with neither.
"""

from __future__ import annotations

import random
import re

BETWEEN_CLAUSES = re.compile(
    r"(</?[a-z][^<>]*>|[.,;:!?()\"\u201c\u201d\u2026\r\n]+|\s-+\s|--+|\u2014"
    r"|\b(?:and|but|or|because|although|though|while|whereas|when|if|unless|since|which|who|than|until"
    r"|(?<!think )(?<!believe )(?<!feel )(?<!say )that)(?!['\u2019\w]))",
    re.IGNORECASE,
)
"""``that`` parts no clause after "I do not think", which denies what follows."""
STAYS = re.compile(
    r"(?:\bnot|n['\u2019]t|\bnothing|\bno)\s+(?:only|just|merely|simply|to\s+mention|but|short|doubt|matter|wonder)\b"
    r"|\b(?:why|or|if|whether)\s+not\b",
    re.IGNORECASE,
)
"""Looks like a denial and turns nothing."""
QUESTION = re.compile(r"\W*(?:what|why|how|where)\b", re.IGNORECASE)
MAY_BE_DENIED = re.compile(
    r"n['\u2019\u00b4`]?t\b|\b(?:not|no|none|nor|never|neither|nothing|nobody|cannot|hardly|barely|scarcely)\b",
    re.IGNORECASE,
)
CONTRACTED = re.compile(
    r"\b(is|are|was|were|do|does|did|has|have|had|would|could|should|might|must|need|ca|wo|sha|ai)n['\u2019\u00b4`]?t\b",
    re.IGNORECASE,
)
IRREGULAR = {"ca": "can", "wo": "will", "sha": "shall", "ai": "is"}
DENIALS = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        (r"\bcannot\b", "can"),
        (r"\bneither\b(?=.{0,200}\bnor\b)", "both"),
        (r"\bnor\b", "and"),
        (r"\bnothing\b", "something"),
        (r"\bnobody\b|\bno one\b", "somebody"),
        (r"\bnone(?=\s+of\b)", "some"),
        (r"\bno longer\b", "still"),
        (r"\bno\s+(?=(?:more|less|better|worse)\b)", ""),
        (r"\bno(?=\s+\w)", "some"),
        (r"\b(?:not|never|hardly|barely|scarcely)\s+(?=\S)|(?<!\s)\s+(?:not|never)\b(?=\s*$)", ""),
    )
)
"""Each denial but contracted ones, and what stands in its place when it is taken back."""
LEFT_OVER = re.compile(r"(?<!\s)\s+at all\b|\bany(?=thing\b|one\b|body\b|\s)", re.IGNORECASE)
"""What only a clause that is denied holds."""
ADVERB = r"(?:(?:\w+ly|also|just|still)\s+)?"
PRONOUN = r"(?:I|you|he|she|it|we|they|this|these|those|there)"
OBJECT = (
    r"(?=\s+(?:an?|the|some|much|many|more|lots|any|anything|something|every|enough|all|its|his|her|their|my|our|your"
    r"|me|us|two|to)\b)"
)
"""Stands after ``has`` where it is no auxiliary."""
STATEMENT = re.compile(
    rf"\b(?P<liker>I|we)\s+(?P<adverb>{ADVERB})(?P<liking>(?:lov|lik|hat|admir)ed?|(?:enjoy|recommend)(?:ed)?)\b"
    r"|(?<!\bto )(?<!\ba )(?<!\ban )(?<!\bthe )(?:"
    rf"\b(?P<having>has|have|had){OBJECT}"
    r"|\b(?P<doing>do|does|did)(?=\s+(?:an?|the|his|her|their|its|my)\b)"
    r"|\b(?P<can>(?-i:can))(?=\s+\w)"
    rf"|\b(?P<plain>is|are|was|were|am|do|does|did|has|have|had|would|could|should"
    rf"|(?-i:might|must|will|shall|may)|{PRONOUN}['\u2019](?:s|m|re|ve|d|ll)|that['\u2019]s)"
    rf"(?=\s+(?!{PRONOUN}\s)\S))",
    re.IGNORECASE,
)
"""The first of these in a clause is denied. ``Will`` and ``May`` with a capital are names, ``a can`` is a thing."""
INFINITIVE_OF_HAVING = {"has": "does", "have": "do", "had": "did"}


def like(before: str, after: str) -> str:
    """Return ``after`` with a capital at its start if ``before`` has one there."""
    start, place = before.lstrip()[:1], len(after) - len(after.lstrip())
    return after[:place] + after[place : place + 1].upper() + after[place + 1 :] if start.isupper() else after


def infinitive(verb: str) -> str:
    """Return the infinitive of a verb of liking: of ``loved``, ``love``."""
    verb = verb.lower()
    if verb.startswith(("enjoy", "recommend")):
        return verb.removesuffix("ed")
    return verb.removesuffix("d")


def denied(statement: re.Match[str]) -> str:
    """Return the denial of what :data:`STATEMENT` found."""
    whole = statement[0]
    if statement["liking"]:
        auxiliary = "did" if statement["liking"].lower().endswith("ed") else "do"
        return f"{statement['liker']} {auxiliary} not {statement['adverb']}{infinitive(statement['liking'])}"
    if whole[0].isupper() and whole[1:2].islower() and "'" not in whole and "\u2019" not in whole:
        return whole  # opens a question or a request
    if statement["having"]:
        return f"{INFINITIVE_OF_HAVING[whole.lower()]} not have"
    if statement["doing"]:
        return f"{whole} not do"
    return "cannot" if statement["can"] else f"{whole} not"


def auxiliary_of(contraction: re.Match[str]) -> str:
    """Return the auxiliary of a contraction: of ``won't``, ``will``."""
    stem = contraction[1]
    return like(stem, IRREGULAR.get(stem.lower(), stem))


def without_denial(clause: str) -> tuple[str, bool]:
    """Return a clause with its denials taken back, and whether it had any."""
    changed, found = CONTRACTED.subn(auxiliary_of, clause)
    for pattern, replacement in DENIALS:
        changed, count = pattern.subn(replacement, changed)
        found += count
    if not found:
        return clause, False
    changed = LEFT_OVER.sub(lambda match: "" if "all" in match[0].lower() else "some", changed)
    return like(clause, changed), True


def turned(clause: str) -> str:
    """Return a clause denied, or with its denial taken back; as it is where there is nothing to deny."""
    if QUESTION.match(clause):
        return clause
    if MAY_BE_DENIED.search(clause):
        if STAYS.search(clause):
            return clause
        changed, had_denial = without_denial(clause)
        if had_denial:
            return changed
    return STATEMENT.sub(denied, clause, count=1)


def statements_denied(text: str, _: random.Random) -> str:
    """Return the text with every statement denied, and every denial taken back; HTML tags stay."""
    return "".join(part if place % 2 else turned(part) for place, part in enumerate(BETWEEN_CLAUSES.split(text)))
